/** How much of a run a watcher has: the id of every server-sent event, which the browser hands back on reconnecting. */
export interface Position {
  /** Of the run: hash of its first metrics line; '-' while there is none. */
  run: string;
  /** Step and evaluation points. */
  steps: number;
  evaluations: number;
  /** Hash of the page's sections; '-' for none of them. */
  sections: string;
}

export const nowhere: Position = { run: '-', steps: 0, evaluations: 0, sections: '-' };

export function formatPosition({ run, steps, evaluations, sections }: Position): string {
  return `${run}.${steps}.${evaluations}.${sections}`;
}

/** What anybody may have sent; nothing where it is no position. */
export function parsePosition(text: string | undefined): Position | undefined {
  const found = /^([0-9a-f]{12}|-)\.(\d{1,9})\.(\d{1,9})\.([0-9a-f]{12}|-)$/.exec(text ?? '');
  if (!found) return undefined;
  return { run: found[1], steps: Number(found[2]), evaluations: Number(found[3]), sections: found[4] };
}
