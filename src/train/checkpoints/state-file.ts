/** `state.json` of a checkpoint: all of it that is no tensor. It may come from anywhere, so it is read field by field. */
import { join } from 'node:path';
import { z } from 'zod';
import { bestMetrics } from '../../config/best-metrics.ts';
import { LorikeetError } from '../../errors.ts';
import { readJsonObject } from '../../formats/json.ts';
import { identitySchema } from '../identity.ts';

const whole = z.int().min(0);
const text = z.string();
/** The widest number that f64 counts in. */
const figure = z.number();

const split = z.enum(['train', 'validation']);

/** All of its rows, in columns. */
const surveyed = z
  .object({
    rows: z.array(whole),
    sizes: z.array(z.object({ tokens: whole, labelTokens: whole, pixelBytes: whole })),
    contents: z.array(z.array(text)),
    prefixes: z.array(z.object({ group: whole, tokens: whole }).nullable()),
  })
  .refine(
    ({ rows, ...columns }) => Object.values(columns).every(({ length }) => length === rows.length),
    'columns of one length expected',
  );

const stateSchema = z.object({
  training: z.object({
    step: whole,
    evaluated: whole.nullable(),
    standing: z.object({
      best: z.object({ step: whole, loss: figure, metric: z.enum(bestMetrics), value: figure }).nullable(),
      since: whole,
    }),
    seconds: figure,
    numbers: z.object({
      norms: z.array(z.object({ norm: figure, applied: z.boolean() })),
      losses: z.array(figure),
      stuckTold: z.boolean(),
      lostInARow: whole,
    }),
  }),
  optimizer: z.object({
    betas: z.tuple([figure, figure]),
    eps: figure,
    weightDecay: figure,
    step: whole,
    /** By parameter name: steps in which it had a gradient. */
    steps: z.record(text, whole),
  }),
  /** Bytes of the run's files that stood when the checkpoint was written. */
  written: z.object({ metrics: whole, scalars: whole }),
  lost: z
    .object({
      rows: z.array(z.object({ split, row: whole, reason: text })),
      surveyed: z.partialRecord(split, surveyed),
    })
    .optional(),
  identity: identitySchema,
  config: z.record(text, z.unknown()),
  machine: z.object({ threads: whole, versions: z.record(text, text), cpu: text.optional() }),
});

export type CheckpointState = z.output<typeof stateSchema>;

export const stateName = 'state.json';
const sizeLimit = 64 * 2 ** 20;

/** @throws LorikeetError 'run' where the file is not as this version writes it. */
export async function readState(folder: string): Promise<CheckpointState> {
  const file = join(folder, stateName);
  const { success, data, error } = stateSchema.safeParse(await readJsonObject(file, 'run', sizeLimit));
  if (success) return data;
  const { path, message } = error.issues[0];
  throw new LorikeetError('run', {
    file,
    what: `is not as this version writes it (${path.join('.').slice(0, 80)}: ${message.slice(0, 120)})`,
  });
}
