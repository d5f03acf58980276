import os from 'node:os';
import type { LoadedConfig } from '../config/load.ts';
import { loraDefaults } from '../config/schema.ts';
import type { Grid, ImageReference } from '../data/example.ts';
import { decodeImage } from '../data/image/decode.ts';
import type { Compile, CompiledModel, CompileOptions } from './compile.ts';
import type { RowSize } from './course.ts';
import { describeKnown } from './describe-cache.ts';
import { dropoutNotice } from './describe-sharing.ts';
import type { EncoderSettings } from './encoder.ts';
import type { NoticeEvent, SkipEvent, StartEvent, TrainEvent } from './events.ts';
import type { ImageEmbedder } from './image-embedder.ts';
import { ImagesAtHand } from './images-at-hand.ts';
import type { Loader } from './loader.ts';
import { type LoopEvent, trainingLoop } from './loop.ts';
import { makePlan, type Plan, type SplitPlan } from './plan.ts';
import { type DescribeRows, record } from './record.ts';
import { createRowLoader, type RowLoader } from './row-loader.ts';
import { checkOutput, openRunFolder, type RunRecord } from './run-folder.ts';
import { describeRows } from './score-files.ts';
import { createSource, lookAheadBytes, type SampleSource } from './source.ts';
import { versions } from './version.ts';
import { visionAccount } from './vision-account.ts';

export interface RunOptions {
  /** Replace the run that stands in the output folder. */
  overwrite: boolean;
  /** Asked between rows of the check and at every step boundary. */
  stopped: () => boolean;
  /** Asked between micro-batches too: nobody listens any more. */
  abandoned?: () => boolean;
  compile: Compile;
  startLoader: (settings: EncoderSettings) => Loader;
}

/**
 * A whole run in this thread, from a config to its run folder. The output folder is touched only when data and model
 * have been found good; where it is stopped before that, it ends without a `finish`.
 */
export async function* run(loaded: LoadedConfig, options: RunOptions): AsyncGenerator<TrainEvent> {
  const { output } = loaded.config;
  checkOutput(output, options.overwrite);
  const plan = yield* makePlan(loaded, options.stopped);
  if (!plan) return;
  const model = await options.compile(compileOptionsOf({ ...loaded, config: plan.config }));
  const loader = options.startLoader(plan.encoder);
  try {
    if (options.stopped()) return;
    const start = startOf(plan, model);
    yield* dropoutNotice(model.lora?.dropout ?? 0, plan.sharing);
    const folder = await openRunFolder(output, recordOf(loaded, plan, start));
    const events = eventsOf(start, plan, model, loader, options);
    yield* record(events, { folder, writeAdapter: model.writeAdapter, describeRows: rowsOf(plan) });
  } finally {
    await loader.close();
    await model.close();
  }
}

async function* eventsOf(
  start: StartEvent,
  plan: Plan,
  step: CompiledModel,
  loader: Loader,
  { stopped, abandoned }: RunOptions,
): AsyncGenerator<StartEvent | NoticeEvent | SkipEvent | LoopEvent> {
  yield start;
  const { settings, gapRows, course, config } = plan;
  const vision = step.vision && visionAccount(step.vision, gridsAhead(plan));
  const splits = [plan.train, plan.validation].filter((split) => split !== undefined);
  const embedder = step.vision?.embedder;
  const images = new ImagesAtHand(embedder?.find);
  const rows = splits.map((split) => createRowLoader(split, loader, images, config.data.onBadRow));
  const sizes = [plan.sizes.train, plan.sizes.validation!];
  const [train, validation] = splits.map((split, i) => sourceOf(split, sizes[i], rows[i], embedder));
  const input = { step, train, validation, gapRows, course, settings, vision, stopped, abandoned };
  for await (const event of trainingLoop(input)) {
    for (const { takeLost } of rows) yield* takeLost();
    for (const text of embedder?.takeNotices() ?? []) yield { type: 'notice', text };
    yield event;
  }
}

function compileOptionsOf({ config, method, loraGiven }: LoadedConfig): CompileOptions {
  const { model: modelDir, adapter: adapterDir, train, full, cache } = config;
  const lora = adapterDir ? loraGiven : (config.lora ?? loraDefaults);
  const { recompute, threads, seed } = train;
  const trained = method === 'full' ? { full } : { lora };
  return { modelDir, adapterDir, ...trained, recompute, threads, seed, cache };
}

function sourceOf(
  { dataset }: SplitPlan,
  sizes: readonly RowSize[],
  { load }: RowLoader,
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

function startOf(plan: Plan, model: CompiledModel): StartEvent {
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
    decisions: [
      ...plan.decisions,
      ...decisions,
      ...(model.vision ? [describeKnown(model.vision, gridsOf(plan))] : []),
    ],
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
  const grids = contents.map((content) => [content, survey.grids.get(content)!] as const);
  return new Map([...grids, ...(validation?.survey.grids ?? [])]);
}

function recordOf(loaded: LoadedConfig, plan: Plan, { type: _, decisions, ...facts }: StartEvent): RunRecord {
  const skipped = [plan.train, plan.validation].flatMap((split) =>
    split ? split.survey.skipped.map((row) => ({ split: split.survey.split, ...row })) : [],
  );
  return {
    status: 'running',
    startedAt: new Date().toISOString(),
    versions: versions(),
    platform: { os: process.platform, arch: process.arch, cpu: os.cpus()[0]?.model, cores: os.cpus().length },
    seed: plan.settings.seed,
    ...facts,
    decisions,
    skipped,
    config: { file: loaded.file, given: givenWords(loaded), resolved: plan.config },
  };
}

/** What somebody wrote, in the file or on the command line. */
function givenWords({ decisions }: LoadedConfig): Record<string, unknown> {
  const given = decisions.filter(({ from }) => from !== 'default');
  return Object.fromEntries(given.map(({ key, value }) => [key, value]));
}
