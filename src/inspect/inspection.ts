/** Rows through tokenizer and model: what the model receives, what the loss is computed on, what each token costs. */
import path from 'node:path';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import { LorikeetError } from '../errors.ts';
import { holdsWeights } from '../formats/checkpoint-folder.ts';
import { loadModelConfig } from '../models/qwen2-vl/config.ts';
import { adapterFolder } from '../train/adapter-folder.ts';
import { compileStep } from '../train/compile.ts';
import type { CompiledModelStep } from '../train/compiled-step.ts';
import { createEncoder, encoderSettings } from '../train/encoder.ts';
import type { CheckEvent, Split } from '../train/events.ts';
import { checkRule, createRule, isRuleName, type LabelRule } from './label-rules.ts';
import { openDump, type Unmatched } from './open-dump.ts';
import { type RowReading, readRow } from './read-row.ts';
import type { InspectedRow } from './row.ts';
import { chooseRows } from './row-numbers.ts';

export interface InspectOptions {
  /** Default `train`. */
  split?: Split;
  /** Numbers of rows, from 0; the first 20 where not given, or those that the file of `labels` holds. */
  rows?: readonly number[] | 'all';
  /** An adapter's folder, or a run's; else the config's `adapter`, else none. */
  adapter?: string;
  /** Another label rule to see beside ours: `all`, `notImage`, `notPadding`, or a JSON file with a collator's labels. */
  labels?: string;
  /** Adds to each image a JPEG in base64 whose longer side is at most this many pixels. */
  pictureSide?: number;
  /** Ends the rows before the next one. */
  signal?: AbortSignal;
}

/** What was opened and decided before the first row. */
export interface Inspection {
  split: Split;
  /** The data file. */
  file: string;
  /** The rows that will come, in this order, out of `totalRows`. */
  rows: number[];
  totalRows: number;
  model: string;
  /** The folder of the adapter that is used. */
  adapter?: string;
  /** Why there are no losses; absent where there are. */
  withoutLosses?: string;
  rule?: Pick<LabelRule, 'name' | 'note'> & { isFile: boolean };
  /** Sequences of the file of `labels` that are none of the rows. */
  unmatched: Unmatched[];
  /** Each row as its turn comes. Computes in the calling thread. */
  read(): AsyncGenerator<InspectedRow>;
  close(): Promise<void>;
}

/**
 * The rows of a config's data as `lorikeet inspect` tells them. `config` comes from `loadConfig` or is written in
 * place; its relative paths are then relative to the working directory. A row that cannot be used comes as refused.
 *
 * @throws LorikeetError for anything else that is wrong in config, model, adapter or the file of `labels`.
 */
export async function* inspect(
  config: LoadedConfig | ConfigInput,
  options: InspectOptions = {},
): AsyncGenerator<InspectedRow> {
  const opening = openInspection(config, options);
  let next = await opening.next();
  while (!next.done) next = await opening.next();
  try {
    yield* next.value.read();
  } finally {
    await next.value.close();
  }
}

/** Yields how far it is where it must look through the data for the rows of a file of labels. */
export async function* openInspection(
  config: LoadedConfig | ConfigInput,
  options: InspectOptions = {},
): AsyncGenerator<CheckEvent, Inspection> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const { split = 'train', labels } = options;
  if (labels !== undefined) checkRule(labels);
  const { model } = loaded.config;
  const dataset = await openSplit(loaded.config, split);
  const isFile = labels !== undefined && !isRuleName(labels);
  const candidates = chooseRows(dataset, options.rows ?? (isFile ? 'all' : undefined));
  const encoder = await createEncoder(encoderSettings(loaded.config));
  const { rule, found, unmatched } = isFile
    ? yield* openDump(labels, { dataset, encoder, split, rows: candidates })
    : { rule: labels && createRule(labels, encoder), unmatched: [] };
  const rows = options.rows === undefined && found ? found : candidates;
  const { adapter, step, withoutLosses } = await openModel(loaded.config, options.adapter);
  const { vision } = await loadModelConfig(model);
  const reading: RowReading = {
    dataset,
    encoder,
    step,
    rule: rule || undefined,
    mergeSize: vision.spatialMergeSize,
    folder: dataset.images,
    pictureSide: options.pictureSide,
  };
  return {
    split,
    file: dataset.file,
    rows,
    totalRows: dataset.length,
    model,
    ...(adapter !== undefined && { adapter }),
    ...(withoutLosses !== undefined && { withoutLosses }),
    ...(rule && { rule: { name: rule.name, note: rule.note, isFile } }),
    unmatched,
    async *read() {
      for (const row of rows) {
        if (options.signal?.aborted) return;
        yield await readRow(row, reading);
      }
    },
    close: async () => step?.close(),
  };
}

function openSplit({ data }: Config, split: Split): Promise<Dataset> {
  const { images, outside, fields, system } = data;
  const file = data[split];
  if (file !== undefined) return openDataset(file, { name: split, images, outside, fields, system });
  throw new LorikeetError('config', {
    what: '--split validation expected data.validation in the config, got none',
    fix: 'Name the file there, or inspect the training rows: --split train.',
  });
}

interface OpenedModel {
  adapter?: string;
  step?: CompiledModelStep;
  withoutLosses?: string;
}

/** The base with the adapter, compiled without anything to train. */
async function openModel({ model, adapter: gone, train }: Config, given?: string): Promise<OpenedModel> {
  if (!(await holdsWeights(model)))
    return { withoutLosses: `${model} holds no weights: tokens and labels are shown, losses are not` };
  const named = given ?? gone;
  const adapter = named === undefined ? undefined : await adapterFolder(path.resolve(named));
  const { threads, seed } = train;
  const step = await compileStep({ modelDir: model, adapterDir: adapter, recompute: false, threads, seed });
  return { adapter, step };
}
