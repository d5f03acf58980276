/** How long a run will take, from what its graphs compute and move and how fast this machine was at both. */
import type { Lengths } from '../graph/shape.ts';
import type { Work } from '../graph/work.ts';
import type { MachineSpeed } from '../runtime/machine-speed.ts';
import type { GraphRun, MemoryPlanner, RunCut } from './memory-need.ts';

/** FLOP and seconds of one part of a run. */
export interface PartTime {
  flop: number;
  seconds: number;
}

export interface TimeNeed {
  /** Forward and backward over all micro-batches of an epoch. */
  training: PartTime;
  /** The frozen tower over the whole run: each picture once where all of them can be kept, at every use where not. */
  vision: PartTime & { once: boolean; pictures: number };
  /** One evaluation, its pictures left out. */
  evaluation: PartTime;
  evaluations: number;
  /** Without pictures. */
  secondsPerEpoch: number;
  totalSeconds: number;
  /** Share of the measured product rate that the run keeps up, all else counted in. */
  efficiency: number;
}

/** What a run goes through. */
export interface Passes {
  epochs: number;
  evaluations: number;
  /** Bytes of embedded pictures that can be kept, in memory and on disk. */
  cacheRoom: number;
}

/** Products inside a step run a little slower than one alone: measured, docs/LOG.md. */
const productSlack = 1.1;

export function secondsOf({ flop, moved, nodes }: Work, lengths: Lengths, speed: MachineSpeed): number {
  return (
    (productSlack * flop(lengths)) / speed.flopPerSecond +
    moved(lengths) / speed.bytesPerSecond +
    nodes * speed.secondsPerNode
  );
}

/** No picture is known yet: what an earlier run left on disk makes it shorter. */
export function timeNeed(
  planner: MemoryPlanner,
  { recompute, maxTokens }: RunCut,
  { epochs, evaluations, cacheRoom }: Passes,
  speed: MachineSpeed,
): TimeNeed {
  const uses = new Map<string, number>();
  const timed = (runs: Iterable<GraphRun>, work: Work, times: number) => {
    const part = nothing();
    for (const { size, pictures } of runs) {
      add(part, work, size, speed);
      for (const content of pictures) uses.set(content, (uses.get(content) ?? 0) + times);
    }
    return part;
  };
  const { sizes } = planner;
  const whole = timed(sizes.training(maxTokens), planner.training(recompute).work, 1);
  const evaluation =
    evaluations > 0 ? timed(sizes.evaluation(maxTokens), planner.scoring().work, evaluations) : nothing();
  const once = planner.keptBytes <= cacheRoom;
  const vision = planner.model.trainsVision ? nothing() : visionTime(planner, uses, once, speed);
  const all = [whole, times(evaluation, evaluations), vision].reduce(sum);
  const training = times(whole, 1 / epochs);
  return {
    training,
    vision: { ...vision, once, pictures: uses.size },
    evaluation,
    evaluations,
    secondsPerEpoch: training.seconds,
    totalSeconds: all.seconds,
    efficiency: all.flop / Math.max(all.seconds, 1e-9) / speed.flopPerSecond,
  };
}

/** Pictures of one size fill the places of a run. */
function visionTime(
  planner: MemoryPlanner,
  uses: ReadonlyMap<string, number>,
  once: boolean,
  speed: MachineSpeed,
): PartTime {
  const counts = new Map<number, number>();
  for (const [content, times] of uses) {
    const tokens = planner.sizes.pictures.get(content)!;
    counts.set(tokens, (counts.get(tokens) ?? 0) + (once ? 1 : times));
  }
  let total = nothing();
  for (const [tokens, count] of counts) {
    const places = planner.places(tokens);
    const run = nothing();
    add(run, planner.vision(places).work, { M: tokens }, speed);
    total = sum(total, times(run, Math.ceil(count / places)));
  }
  return total;
}

const nothing = (): PartTime => ({ flop: 0, seconds: 0 });
const sum = (a: PartTime, b: PartTime): PartTime => ({
  flop: a.flop + b.flop,
  seconds: a.seconds + b.seconds,
});
const times = ({ flop, seconds }: PartTime, count: number): PartTime => ({
  flop: flop * count,
  seconds: seconds * count,
});

function add(part: PartTime, work: Work, lengths: Lengths, speed: MachineSpeed): void {
  part.flop += work.flop(lengths);
  part.seconds += secondsOf(work, lengths, speed);
}
