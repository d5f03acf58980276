import type { Curves } from './curves.ts';
import type { EvaluationPoint, Progress, StepPoint } from './points.ts';
import { nowhere, type Position } from './position.ts';
import type { Section, Telling } from './telling.ts';
import { thin } from './thin.ts';

/** What a watcher is sent; the page's script (live-script.ts) reads these. */
export type Message = { position: Position } & (
  | { event: 'points'; data: { steps: StepPoint[]; evaluations: EvaluationPoint[] } }
  /** Every section's place, and those that are new or changed. */
  | { event: 'sections'; data: { order: string[]; changed: Section[] } }
  | { event: 'state'; data: State }
  /** Another run stands in the folder: the page is loaded anew. */
  | { event: 'restart'; data: object }
  /** Nothing more will come. */
  | { event: 'end'; data: object }
);

export interface State {
  status: string;
  totalSteps: number | null;
  progress: Progress | null;
  /** When a line was last written, milliseconds since 1970. */
  writtenAt: number | null;
  /** Why the report is not told anew, where the folder can no longer be read. */
  trouble: string | null;
}

/** What was sent on one connection beside the points. */
export interface Sent {
  sections: ReadonlyMap<string, string>;
  state: string;
}

/** Points that a newcomer is sent at most; more could not be told apart on a screen. */
const mostPoints = 20_000;
const pointsPerMessage = 5_000;

/** What somebody lacks who has come as far as `from`; `sent` is brought up to date. */
export function messagesSince(from: Position, sent: Sent, curves: Curves, telling: Telling): Message[] {
  const here = positionOf(curves, telling);
  if (isElsewhere(from, here)) return [{ event: 'restart', data: {}, position: nowhere }];
  return [
    ...pointsSince(from, here, curves),
    ...sectionsSince(from, here, sent, telling),
    ...stateSince(here, sent, curves, telling),
  ];
}

export function positionOf(curves: Curves, telling: Telling): Position {
  return {
    run: curves.run(),
    steps: curves.steps.length,
    evaluations: curves.evaluations.length,
    sections: telling.version(),
  };
}

function isElsewhere(from: Position, here: Position): boolean {
  if (from.run === '-') return from.steps > 0 || from.evaluations > 0;
  return from.run !== here.run || from.steps > here.steps || from.evaluations > here.evaluations;
}

/** In pieces: each says how far it reaches, so that a cut connection goes on where it was cut. */
function pointsSince(from: Position, here: Position, curves: Curves): Message[] {
  const lacking = here.steps - from.steps;
  const pieces = Math.max(1, Math.ceil(Math.min(lacking, mostPoints) / pointsPerMessage));
  const evaluations = curves.evaluations.slice(from.evaluations);
  if (lacking === 0 && evaluations.length === 0) return [];
  return Array.from({ length: pieces }, (_, piece) => {
    const isLast = piece === pieces - 1;
    const reach = (share: number) => from.steps + Math.ceil((lacking * share) / pieces);
    const steps = thin(curves.steps.slice(reach(piece), reach(piece + 1)), pointsPerMessage);
    const position = isLast ? here : { ...here, steps: reach(piece + 1), evaluations: from.evaluations };
    return {
      event: 'points',
      data: { steps, evaluations: isLast ? evaluations : [] },
      position: { ...position, sections: from.sections },
    };
  });
}

function sectionsSince(from: Position, here: Position, sent: Sent, telling: Telling): Message[] {
  const hashes = telling.hashes();
  const known = from.sections === here.sections ? hashes : sent.sections;
  sent.sections = hashes;
  if (from.sections === here.sections) return [];
  const { sections } = telling.told();
  const changed = sections.filter(({ id }) => known.get(id) !== hashes.get(id));
  return [{ event: 'sections', data: { order: sections.map(({ id }) => id), changed }, position: here }];
}

function stateSince(here: Position, sent: Sent, curves: Curves, telling: Telling): Message[] {
  const data: State = {
    status: telling.status(),
    totalSteps: telling.totalSteps(),
    progress: curves.progress(),
    writtenAt: curves.writtenAt(),
    trouble: telling.trouble(),
  };
  const text = JSON.stringify(data);
  if (text === sent.state) return [];
  sent.state = text;
  return [{ event: 'state', data, position: here }];
}
