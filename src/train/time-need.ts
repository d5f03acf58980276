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
  /** Forward and backward over all micro-batches of an epoch, without pictures. */
  training: PartTime;
  /** The tower over the pictures of an epoch. */
  vision: PartTime;
  /** One evaluation, its pictures with it; 0 without validation data. */
  evaluation: PartTime;
  evaluations: number;
  secondsPerEpoch: number;
  totalSeconds: number;
  /** Share of the measured product rate that the run keeps up, all else counted in. */
  efficiency: number;
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

export function timeNeed(
  planner: MemoryPlanner,
  { recompute, maxTokens }: RunCut,
  { epochs, evaluations }: { epochs: number; evaluations: number },
  speed: MachineSpeed,
): TimeNeed {
  const { sizes, model } = planner;
  const timed = (runs: Iterable<GraphRun>, work: Work) => {
    const [own, vision] = [nothing(), nothing()];
    for (const { size, pictures } of runs) {
      add(own, work, size, speed);
      if (!model.trainsVision)
        for (const M of pictures) add(vision, planner.graph('vision').work, { M }, speed);
    }
    return { own, vision };
  };
  const whole = timed(sizes.training(maxTokens), planner.graph('training', recompute).work);
  const scored =
    evaluations > 0 ? timed(sizes.evaluation(maxTokens), planner.graph('scoring').work) : undefined;
  const training = share(whole.own, epochs);
  const vision = share(whole.vision, epochs);
  const evaluation = scored ? sum(scored.own, scored.vision) : nothing();
  const all = sum(sum(whole.own, whole.vision), share(evaluation, 1 / Math.max(evaluations, 1)));
  return {
    training,
    vision,
    evaluation,
    evaluations,
    secondsPerEpoch: training.seconds + vision.seconds,
    totalSeconds: all.seconds,
    efficiency: all.flop / Math.max(all.seconds, 1e-9) / speed.flopPerSecond,
  };
}

const nothing = (): PartTime => ({ flop: 0, seconds: 0 });
const sum = (a: PartTime, b: PartTime): PartTime => ({
  flop: a.flop + b.flop,
  seconds: a.seconds + b.seconds,
});
const share = ({ flop, seconds }: PartTime, parts: number): PartTime => ({
  flop: flop / parts,
  seconds: seconds / parts,
});

function add(part: PartTime, work: Work, lengths: Lengths, speed: MachineSpeed): void {
  part.flop += work.flop(lengths);
  part.seconds += secondsOf(work, lengths, speed);
}
