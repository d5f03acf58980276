/** `run.json`, field by field: what is not as a run writes it is left out and named. */
import { join } from 'node:path';
import { z } from 'zod';
import type { DataCheck } from '../check/data-check.ts';
import { tokenKinds } from '../data/example.ts';
import { isObject, parseJson } from '../formats/json.ts';
import type { DataSummary } from '../train/events.ts';
import { identitySchema } from '../train/identity.ts';
import { type RunRecord, runFiles } from '../train/run-folder.ts';
import { readText, Unreadable } from './bounded-files.ts';
import { finishLine } from './read-metrics.ts';
import { readableConfig } from './readable-config.ts';

const sizeLimit = 64 * 2 ** 20;

const text = z.string();
const number = z.number();
const whole = z.int().min(0);

const summary: z.ZodType<DataSummary> = z.object({
  file: text,
  sha256: text,
  form: text,
  fields: z.record(text, text),
  guessed: z.array(text),
  rows: whole,
  skipped: whole,
  images: whole,
  tokens: whole,
  labelTokens: whole,
  longestRow: whole,
  cutRows: whole,
});

const overlap = z.object({
  pictures: whole,
  rows: whole,
  pairs: z.array(z.object({ validation: text, train: text })),
});
const split = z.object({
  split: z.enum(['train', 'validation']),
  rows: whole,
  refused: z.object({
    count: whole,
    reasons: z.array(z.object({ reason: text, count: whole, rows: z.array(whole) })),
  }),
  tokens: z.object(Object.fromEntries(tokenKinds.map((kind) => [kind, whole]))) as unknown as z.ZodType<
    DataCheck['splits'][number]['tokens']
  >,
  labelShare: number,
  longest: z.array(z.object({ row: whole, tokens: whole })),
  images: z.object({
    distinct: whole,
    uses: whole,
    sizes: z.array(z.object({ width: whole, height: whole, tokens: whole, images: whole })),
    saturated: z.object({ count: whole, sixteenBit: whole, files: z.array(text) }),
  }),
  questionsPerImage: z.object({ least: number, median: number, most: number, mean: number }),
  answers: z.object({
    distinct: whole,
    commonest: z.array(z.object({ text, count: whole })),
  }),
  groups: whole.optional(),
});
const check: z.ZodType<DataCheck> = z.object({
  splits: z
    .array(split)
    .refine((splits) => ['train', 'train validation'].includes(splits.map(({ split }) => split).join(' ')), {
      error: 'training expected first, then validation',
    }),
  shared: z
    .object({
      same: overlap,
      near: overlap,
      groups: z.object({ count: whole, rows: whole, names: z.array(text) }).optional(),
    })
    .optional(),
  chance: z.object({ uniform: number, answers: number, unseen: number }).optional(),
  warnings: z.array(text),
});

const lora = z.object({
  rank: number,
  alpha: number,
  dropout: number,
  targetModules: z.union([z.array(text), text]),
  rslora: z.boolean(),
  scale: number,
});

const decisions = z.array(z.object({ what: text, value: z.unknown(), reason: text }));

/** Total, so that a field which the record gains is read too. */
const fields: { [K in keyof RunRecord]-?: z.ZodType<NonNullable<RunRecord[K]>> } = {
  status: z.enum(['running', 'finished', 'stopped', 'failed']),
  startedAt: text,
  endedAt: text,
  error: text,
  versions: z.object({ lorikeet: text, node: text.optional(), onnxruntime: text.optional() }),
  platform: z.object({ os: text, arch: text, cpu: text.optional(), cores: number }),
  seed: number,
  config: z.object({ file: text.optional(), given: z.record(text, z.unknown()), resolved: readableConfig }),
  // What older versions did not keep is optional in a story; a record that lacks it is as good.
  finish: finishLine as unknown as z.ZodType<NonNullable<RunRecord['finish']>>,
  adapterStep: whole,
  files: z.array(text),
  skipped: z.array(z.object({ split: text, row: whole, reason: text })),
  model: text,
  output: text,
  device: text,
  threads: whole,
  data: z.object({ train: summary, validation: summary.optional() }),
  check,
  base: z.object({ modelType: text, parameters: whole, vocabulary: whole, dtypes: z.array(text) }),
  method: z.enum(['lora', 'full']),
  lora,
  trained: z.object({ tensors: whole, parameters: whole, modules: whole }),
  epochs: whole,
  totalSteps: whole,
  sharing: z.object({ rows: whole, rowTokens: whole, tokens: whole, picturesPerStep: number }),
  memory: z.object({
    needed: number,
    limit: z.object({ bytes: number, from: z.enum(['memory', 'machine']) }),
    picked: decisions,
  }),
  decisions,
  identity: identitySchema,
  resumed: z.array(z.object({ at: text, step: whole })),
};

/**
 * The record, and sentences on what of it could not be read. Throws `Unreadable` where there is no file, no JSON in
 * it, or the JSON of another tool.
 */
export function readRecord(folder: string): { record: RunRecord; missing: string[] } {
  const json = parsed(readText(join(folder, runFiles.record), sizeLimit));
  const missing: string[] = [];
  const entries = Object.entries(fields).flatMap(([name, schema]) => {
    const value = json[name];
    if (value === undefined || value === null) return [];
    const { success, data, error } = schema.safeParse(value);
    if (success) return [[name, data]];
    const { path, message } = error.issues[0];
    const where = [name, ...path].map(String).join('.').slice(0, 80);
    missing.push(`run.json: "${name}" is not as this version reads it (${where}: ${message.slice(0, 120)}).`);
    return [];
  });
  const record = Object.fromEntries(entries);
  if (!record.versions) throw new Unreadable('does not say which Lorikeet wrote it');
  return { record: { status: 'running', startedAt: '', ...record }, missing };
}

function parsed(json: string) {
  try {
    const value = parseJson(json.replace(/^\uFEFF/, ''));
    if (isObject(value)) return value;
  } catch (error) {
    throw new Unreadable(`is not whole JSON: ${(error as Error).message}`);
  }
  throw new Unreadable('holds no JSON object');
}
