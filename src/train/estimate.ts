import { checkData } from '../check/check-data.ts';
import { bytesOf } from '../config/byte-size.ts';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import type { DType } from '../dtype.ts';
import { freeBytes } from '../formats/free-space.ts';
import { type MachineSpeed, measureMachine } from '../runtime/machine-speed.ts';
import { physicalCores } from '../runtime/threads.ts';
import { countSteps } from './course.ts';
import { type DiskNeed, diskNeed } from './disk-need.ts';
import { createEncoder, encoderSettings } from './encoder.ts';
import type { CheckEvent, DataSummary, Decision } from './events.ts';
import type { MemoryNeed, MemoryPlanner, RunCut } from './memory-need.ts';
import { type MemoryPlan, memoryWarnings, planMemory } from './memory-plan.ts';
import { type TimeNeed, timeNeed } from './time-need.ts';

export interface EstimateOptions {
  /** Ends the pass over the data at the next row; `estimated` then never comes. */
  signal?: AbortSignal;
}

/** The data are known; the machine is measured for three seconds, in which the thread is blocked. */
export interface MeasuringEvent {
  type: 'measuring';
}

export interface EstimatedEvent {
  type: 'estimated';
  data: { train: DataSummary; validation?: DataSummary };
  estimate: RunEstimate;
}

/** What a run will need. Plain JSON; bytes and seconds. */
export interface RunEstimate {
  /** Frozen weights, mapped where they are and not part of `memory`. */
  weights: { bytes: number; dtypes: string[]; files: number; assumed?: DType };
  trained: { tensors: number; numbers: number };
  memory: MemoryNeed;
  /** What training graphs hold over the same micro-batches. */
  activations: { recompute: number; kept: number };
  limit: { bytes: number; from: 'memory' | 'machine' };
  machine: { total: number; available: number };
  fits: boolean;
  /** What does not fit and what would. */
  refusal?: { what: string; fix?: string; file?: string; line?: number; row?: number };
  cut: RunCut;
  decisions: Decision[];
  warnings: string[];
  disk: DiskNeed & { free: number };
  speed: MachineSpeed & { threads: number };
  steps: number;
  time: TimeNeed;
}

/**
 * Says what a run will need of memory, disk and time: reads the data as `check` does, of the model tokenizer,
 * config.json and the headers of its files, and measures the machine for three seconds. Where the folder holds no
 * weights yet, they are taken to have the type that config.json names. Of the disk it writes nothing.
 *
 * @throws LorikeetError for anything that a run could not get past, but memory: that is told.
 */
export async function* estimate(
  config: LoadedConfig | ConfigInput,
  { signal }: EstimateOptions = {},
): AsyncGenerator<CheckEvent | MeasuringEvent | EstimatedEvent> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const encoder = await createEncoder(encoderSettings(loaded.config));
  const checked = yield* checkData(loaded.config.data, encoder, () => signal?.aborted ?? false);
  if (!checked) return;
  const { train, validation } = checked;
  const plan = await planMemory({ loaded, train, validation, encoder });
  yield { type: 'measuring' };
  const threads = loaded.config.train.threads ?? physicalCores();
  const speed = await measureMachine({ threads, ...productOf(plan) });
  const steps = stepsOf(loaded.config, train.survey.rows.length);
  yield {
    type: 'estimated',
    data: { train: train.survey.summary, validation: validation?.survey.summary },
    estimate: {
      ...factsOf(plan),
      disk: { ...diskNeed(plan, loaded, steps), free: await freeBytes(loaded.config.output) },
      speed: { ...speed, threads },
      steps: steps.total,
      time: timeNeed(
        plan.planner,
        plan.cut,
        {
          epochs: steps.epochs,
          evaluations: validation ? steps.evaluations : 0,
          cacheRoom: roomOf(loaded.config, plan.cut),
        },
        speed,
      ),
    },
  };
}

function factsOf(plan: MemoryPlan) {
  const { model, planner, need, limit, machine, cut, decisions, refusal } = plan;
  const { assumedDtype: assumed } = model;
  return {
    weights: { ...model.weights, ...(assumed && { assumed }) },
    trained: { tensors: model.trained.length, numbers: model.trainedNumbers },
    memory: need,
    activations: activationsOf(planner, cut),
    limit,
    machine,
    fits: refusal === undefined,
    ...(refusal && { refusal: plainRefusal(refusal) }),
    cut,
    decisions,
    warnings: memoryWarnings(plan),
  };
}

const plainRefusal = ({ what, fix, file, line, row }: NonNullable<MemoryPlan['refusal']>) => ({
  what,
  fix,
  file,
  line,
  row,
});

function activationsOf(planner: MemoryPlanner, cut: RunCut): RunEstimate['activations'] {
  const of = (recompute: boolean) => planner.need({ ...cut, recompute }).activations;
  return { recompute: of(true), kept: of(false) };
}

/** Of embedded pictures, in memory and on disk. */
const roomOf = ({ cache }: Config, { cacheMemory }: RunCut) => cacheMemory + bytesOf(cache.disk)!;

/** The product that is measured: of the widest linear, with as many rows as a token's run has on average. */
function productOf({ planner, model, cut }: MemoryPlan): { tokens: number; inner: number; outer: number } {
  let [tokens, squares] = [0, 0];
  for (const { size } of planner.sizes.training(cut.maxTokens)) {
    tokens += size.T;
    squares += size.T ** 2;
  }
  const { hiddenSize, intermediateSize } = model.config.text;
  return {
    tokens: Math.max(1, Math.round(squares / Math.max(tokens, 1))),
    inner: hiddenSize,
    outer: intermediateSize,
  };
}

/** Steps of the run, the passes over its rows that they are, and how often it is evaluated on the way. */
function stepsOf({ train: words }: Config, rows: number) {
  const { gradientAccumulation, epochs, maxSteps } = words;
  const total = countSteps(rows, gradientAccumulation, epochs, maxSteps);
  const every = words.evaluateEvery || total;
  return {
    total,
    epochs: total / countSteps(rows, gradientAccumulation, 1),
    evaluations: Math.ceil(total / every) + Number(words.evaluateStart),
  };
}
