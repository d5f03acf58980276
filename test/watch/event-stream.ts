/** Reads server-sent events as a browser does (WHATWG HTML, 9.2), as far as the server uses them. */
export interface StreamEvent {
  event: string;
  id: string;
  data: unknown;
}

/** Events of an address until `enough` says so, or the server ends the stream. */
export async function readEvents(
  url: string,
  enough: (events: StreamEvent[]) => boolean,
  headers: Record<string, string> = {},
): Promise<StreamEvent[]> {
  const leaving = new AbortController();
  const response = await fetch(url, { headers, signal: leaving.signal });
  const events: StreamEvent[] = [];
  let rest = '';
  try {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop()!;
      events.push(...blocks.map(parse));
      if (enough(events)) break;
    }
  } finally {
    leaving.abort();
  }
  return events;
}

function parse(block: string): StreamEvent {
  const fields = new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }),
  );
  return {
    event: fields.get('event') ?? 'message',
    id: fields.get('id') ?? '',
    data: JSON.parse(fields.get('data') ?? 'null'),
  };
}

/** The steps of all `points` events, in the order they came. */
export function stepsOf(events: StreamEvent[]): number[] {
  return events.flatMap(({ event, data }) =>
    event === 'points' ? (data as { steps: number[][] }).steps.map(([step]) => step) : [],
  );
}
