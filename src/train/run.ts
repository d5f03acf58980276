import { existsSync } from 'node:fs';
import os from 'node:os';
import type { LoadedConfig } from '../config/load.ts';
import { loraDefaults } from '../config/schema.ts';
import type { Grid, ImageReference } from '../data/example.ts';
import { decodeImage } from '../data/image/decode.ts';
import { newClaim } from '../formats/lock.ts';
import type { AnswerRows } from './answers.ts';
import { removeAfter } from './checkpoints/checkpoint-files.ts';
import { restoreFiles } from './checkpoints/kept-files.ts';
import type { Compile, CompiledModel, CompileOptions } from './compile.ts';
import type { RowSize } from './course.ts';
import { describeKnown } from './describe-cache.ts';
import { dropoutNotice } from './describe-sharing.ts';
import type { EncoderSettings } from './encoder.ts';
import type { NoticeEvent, SkipEvent, StartEvent, TrainEvent } from './events.ts';
import { identityOf, type RunIdentity } from './identity.ts';
import type { ImageEmbedder } from './image-embedder.ts';
import { ImagesAtHand } from './images-at-hand.ts';
import type { Loader } from './loader.ts';
import { type LoopEvent, trainingLoop } from './loop.ts';
import type { LoopInput } from './loop-state.ts';
import type { LostRows } from './lost-rows.ts';
import { withCutOf } from './memory-plan.ts';
import { makePlan, type Plan, type SplitPlan } from './plan.ts';
import { type DescribeRows, record } from './record.ts';
import { checkRepeat } from './repeat.ts';
import { copyRun, findOrigin, type Origin, thisMachine } from './resume.ts';
import { createRowLoader } from './row-loader.ts';
import { checkOutput, openRunFolder, type RunFolder, type RunRecord, written } from './run-folder.ts';
import { lockOutput, refuseHeld, unlockOutput } from './run-lock.ts';
import { createSaver, type SplitRows } from './saver.ts';
import { describeRows } from './score-files.ts';
import { createSource, lookAheadBytes, type SampleSource } from './source.ts';
import { takeUp } from './take-up.ts';
import { versions } from './version.ts';
import { visionAccount } from './vision-account.ts';

/** Answers as a run has them: opened once, closed with it. */
export interface OpenAnswers extends AnswerRows {
  close(): Promise<void>;
}

/** `M` is what `compile` gives; only who compiles knows how that answers. */
export interface RunOptions<M extends CompiledModel = CompiledModel> {
  /** Replace the run that stands in the output folder. */
  overwrite: boolean;
  /** Asked between rows of the check and between micro-batches. */
  stopped: () => boolean;
  /** Asked between micro-batches too: nobody listens any more. */
  abandoned?: () => boolean;
  compile: Compile<M>;
  /** Needed where `train.evaluateAnswers` asks for answers: what gives them stands behind training. */
  openAnswers?: (model: M, plan: Plan, stopped: () => boolean) => Promise<OpenAnswers>;
  startLoader: (settings: EncoderSettings) => Loader;
  /** Go on with the run in the output folder, from its newest checkpoint or the one that is named. */
  resume?: true | string;
  /** Name of the claim on the output folder. */
  claim?: string;
  /** Told before each graph run of training: step, rows. */
  entering?: (step: number, rows: number[]) => void;
}

/**
 * A whole run in this thread, from a config to its run folder. The output folder is touched only when data and model
 * have been found good; where it is stopped before that, it ends without a `finish`. Nobody else writes in it meanwhile.
 */
export async function* run<M extends CompiledModel>(
  loaded: LoadedConfig,
  options: RunOptions<M>,
): AsyncGenerator<TrainEvent> {
  const { output } = loaded.config;
  const { overwrite, resume, claim = newClaim() } = options;
  const mayHoldRun = overwrite || resume !== undefined;
  checkOutput(output, mayHoldRun);
  refuseHeld(output);
  const isThere = existsSync(output);
  try {
    if (isThere) await lockOutput(output, claim);
    const origin = resume === undefined ? {} : yield* findOrigin(loaded, resume);
    if (origin.finished) {
      yield origin.finished;
      return;
    }
    const cut = origin.checkpoint ? withCutOf(loaded, origin.checkpoint.state.config) : loaded;
    const plan = yield* makePlan(cut, options.stopped, origin.checkpoint?.state.lost);
    if (!plan) return;
    const lock = async () => {
      if (!isThere) await lockOutput(output, claim);
      checkOutput(output, mayHoldRun);
    };
    yield* runPlan(loaded, plan, origin, { ...options, lock });
  } finally {
    unlockOutput(output, claim);
  }
}

async function* runPlan<M extends CompiledModel>(
  loaded: LoadedConfig,
  plan: Plan,
  origin: Origin,
  options: RunOptions<M> & { lock: () => Promise<void> },
): AsyncGenerator<TrainEvent> {
  const model = await options.compile(compileOptionsOf({ ...loaded, config: plan.config }));
  const loader = options.startLoader(plan.encoder);
  let answers: OpenAnswers | undefined;
  try {
    const identity = await identityOf(loaded, plan, model);
    yield* checkRepeat(loaded, identity, thisMachine(model.threads));
    const interrupted = origin.checkpoint && (yield* takeUp(origin.checkpoint, plan, model, identity));
    if (plan.answerRows.length > 0) answers = await answersOf(model, plan, options);
    if (options.stopped()) return;
    await options.lock();
    const start = startOf(plan, model, resumedOf(origin));
    yield* dropoutNotice(model.lora?.dropout ?? 0, plan.sharing);
    const folder = await openFolder(recordOf(loaded, plan, start, { identity, origin }), origin, plan);
    const images = new ImagesAtHand(model.vision?.embedder.find);
    const rows = rowLoaders(plan, loader, images, origin.checkpoint?.state.lost);
    const events = eventsOf(start, plan, { step: model, rows, answers }, { ...options, interrupted });
    yield* record(events, {
      folder,
      writeAdapter: model.writeAdapter,
      describeRows: rowsOf(plan),
      saveCheckpoint: createSaver({ plan, model, folder, rows, identity }),
      stepsBefore: interrupted?.state.step,
    });
  } finally {
    await answers?.close();
    await loader.close();
    await model.close();
  }
}

/** The run folder, new or as the checkpoint left it. */
async function openFolder(record: RunRecord, { checkpoint }: Origin, { config }: Plan): Promise<RunFolder> {
  const { output } = config;
  if (!checkpoint) return openRunFolder(output, record);
  const { path, run, state } = checkpoint;
  if (run === output) removeAfter(output, state.training.step);
  else await written(output, () => copyRun(checkpoint, output));
  const folder = await openRunFolder(output, record, state.written);
  await written(output, () => restoreFiles(path, output, folder.bestFiles()));
  return folder;
}

function rowLoaders(
  { train, validation, sizes, config }: Plan,
  loader: Loader,
  images: ImagesAtHand,
  lost?: LostRows,
): SplitRows[] {
  const loaderOf = (split: SplitPlan, sizes: readonly RowSize[]) => {
    const before = lost?.rows.filter((row) => row.split === split.survey.split);
    return { split, sizes, ...createRowLoader(split, loader, images, config.data.onBadRow, before) };
  };
  return [loaderOf(train, sizes.train), ...(validation ? [loaderOf(validation, sizes.validation!)] : [])];
}

function answersOf<M extends CompiledModel>(
  model: M,
  plan: Plan,
  { openAnswers, stopped }: RunOptions<M>,
): Promise<OpenAnswers> {
  if (!openAnswers) throw new TypeError('train.evaluateAnswers expected a run that is told how to answer');
  return openAnswers(model, plan, stopped);
}

type LoopOptions = Pick<RunOptions, 'stopped' | 'abandoned' | 'entering'> & Pick<LoopInput, 'interrupted'>;

interface Opened {
  step: CompiledModel;
  rows: SplitRows[];
  answers?: OpenAnswers;
}

async function* eventsOf(
  start: StartEvent,
  plan: Plan,
  { step, rows, answers }: Opened,
  { stopped, abandoned, entering, interrupted }: LoopOptions,
): AsyncGenerator<StartEvent | NoticeEvent | SkipEvent | LoopEvent> {
  yield start;
  const { settings, gapRows, course } = plan;
  const vision = step.vision && visionAccount(step.vision, gridsAhead(plan));
  const embedder = step.vision?.embedder;
  const [train, validation] = rows.map((split) => sourceOf(split, embedder));
  const input = {
    step,
    train,
    validation,
    gapRows,
    answers,
    course,
    settings,
    vision,
    stopped,
    abandoned,
    entering,
    interrupted,
  };
  for await (const event of trainingLoop(input)) {
    for (const { takeLost } of rows) yield* takeLost();
    for (const text of embedder?.takeNotices() ?? []) yield { type: 'notice', text };
    yield event;
  }
}

function compileOptionsOf({ config, method, loraGiven }: LoadedConfig): CompileOptions {
  const { model: modelDir, adapter: adapterDir, data, pack, train, full, cache } = config;
  const lora = adapterDir ? loraGiven : (config.lora ?? loraDefaults);
  const { recompute, threads, seed } = train;
  const trained = method === 'full' ? { full } : { lora };
  const labelRows = Math.max(pack.maxTokens, data.maxLength); // a row beyond maxTokens runs alone
  return { modelDir, adapterDir, ...trained, recompute, labelRows, threads, seed, cache };
}

function sourceOf(
  { split: { dataset }, sizes, load }: SplitRows,
  embedder: ImageEmbedder | undefined,
): SampleSource {
  const embed = embedder && ((...images: Parameters<ImageEmbedder['embed']>) => embedder.embed(...images));
  return createSource(sizes, { load, lookAheadBytes, embed, file: dataset.file });
}

function rowsOf({ tokenizer, encoder, train, validation }: Plan): DescribeRows {
  const datasets = { train: train.dataset, validation: validation?.dataset };
  const source = {
    tokenizer,
    datasets,
    decode: (image: ImageReference) => decodeImage(image, encoder.image),
  };
  return (rows, step, keepPicture) => describeRows(rows, step, source, keepPicture);
}

function startOf(plan: Plan, model: CompiledModel, resumed: StartEvent['resumed']): StartEvent {
  const { device, threads, decisions, trainables, base, lora } = model;
  return {
    type: 'start',
    model: plan.config.model,
    output: plan.config.output,
    device,
    threads,
    data: { train: plan.train.survey.summary, validation: plan.validation?.survey.summary },
    check: plan.check,
    base,
    method: plan.method,
    ...(lora && { lora }),
    trained: {
      tensors: trainables.length,
      parameters: trainables.reduce((sum, { values }) => sum + values.length, 0),
      modules: plan.method === 'lora' ? trainables.filter(({ name }) => name.includes('lora_A')).length : 0,
    },
    epochs: plan.config.train.epochs,
    totalSteps: plan.settings.totalSteps,
    sharing: plan.sharing,
    memory: plan.memory,
    decisions: [
      ...plan.decisions,
      ...decisions,
      ...(model.vision ? describeKnown(model.vision, gridsOf(plan)) : []),
    ],
    ...(resumed && { resumed }),
  };
}

/** Of all pictures in the data, by what they hold. */
function gridsOf({ train, validation }: Plan): Map<string, Grid> {
  return new Map([...train.survey.grids, ...(validation?.survey.grids ?? [])]);
}

/** Of those that the run will come to: `train.maxSteps` may end it before others. */
function gridsAhead({ train: { survey }, validation, course, gapRows }: Plan): Map<string, Grid> {
  const rows = new Set(gapRows);
  for (const { batches } of course()) for (const row of batches.flat()) rows.add(row);
  const contents = [...rows].flatMap((row) => survey.contents[row]);
  const grids = contents.flatMap((content) => {
    const grid = survey.grids.get(content);
    return grid ? [[content, grid] as const] : [];
  });
  return new Map([...grids, ...(validation?.survey.grids ?? [])]);
}

/** A run that was never begun is not gone on with, whatever was asked for. */
function resumedOf({ record, checkpoint }: Origin): StartEvent['resumed'] {
  if (!record && !checkpoint) return undefined;
  const now = { at: new Date().toISOString(), step: checkpoint?.state.training.step ?? 0 };
  return [...(record?.resumed ?? []), now];
}

function recordOf(
  loaded: LoadedConfig,
  plan: Plan,
  { type: _, decisions, ...facts }: StartEvent,
  { identity, origin }: { identity: RunIdentity; origin: Origin },
): RunRecord {
  const lost = origin.checkpoint?.state.lost?.rows ?? [];
  const skipped = [plan.train, plan.validation].flatMap((split) =>
    split ? split.survey.skipped.map((row) => ({ split: split.survey.split, ...row })) : [],
  );
  return {
    status: 'running',
    startedAt: origin.record?.startedAt ?? new Date().toISOString(),
    versions: versions(),
    platform: { os: process.platform, arch: process.arch, cpu: os.cpus()[0]?.model, cores: os.cpus().length },
    seed: plan.settings.seed,
    ...facts,
    decisions,
    skipped: [...skipped, ...lost.map(({ split, row, reason }) => ({ split, row, reason }))],
    ...(origin.checkpoint && origin.record?.files && { files: origin.record.files }),
    identity,
    config: { file: loaded.file, given: givenWords(loaded), resolved: plan.config },
  };
}

/** What somebody wrote, in the file or on the command line. */
function givenWords({ decisions }: LoadedConfig): Record<string, unknown> {
  const given = decisions.filter(({ from }) => from === 'file' || from === 'command line');
  return Object.fromEntries(given.map(({ key, value }) => [key, value]));
}
