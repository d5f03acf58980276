/** What makes a run the run it is: the same model, data, trained parameters and words give the same bytes. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { LoadedConfig } from '../config/load.ts';
import { fingerprint } from '../formats/fingerprint.ts';
import type { CompiledModel } from './compile.ts';
import type { Plan, SplitPlan } from './plan.ts';

const split = z.object({
  /** Of the data file. */
  sha256: z.string(),
  /** Rows that are used. */
  rows: z.int().min(0),
  /** Digest of which they are and how many tokens and labels each has. */
  used: z.string(),
  /** Digest of what their pictures hold, decoded. */
  pictures: z.string(),
});

export const identitySchema = z.object({
  /** Fingerprint of the weights' files. */
  weights: z.string(),
  /** Fingerprint of config.json, tokenizer, chat template and preprocessor. */
  companions: z.string(),
  data: z.object({ train: split, validation: split.optional() }),
  /** Digest of the trained tensors' names and shapes, and of how LoRA is settled. */
  trained: z.string(),
});

export type RunIdentity = z.output<typeof identitySchema>;

export async function identityOf(
  { config }: LoadedConfig,
  plan: Plan,
  model: CompiledModel,
): Promise<RunIdentity> {
  const isWeight = (name: string) => /\.safetensors(\.index\.json)?$/.test(name);
  const isCompanion = (name: string) =>
    /^(config|tokenizer|tokenizer_config|preprocessor_config|chat_template|special_tokens_map|added_tokens|vocab)\.json$|^merges\.txt$|\.jinja$/.test(
      name,
    );
  return {
    weights: await fingerprint(config.model, isWeight),
    companions: await fingerprint(config.model, isCompanion),
    data: {
      train: splitIdentity(plan.train),
      ...(plan.validation && { validation: splitIdentity(plan.validation) }),
    },
    trained: digest(
      JSON.stringify([model.lora ?? null, model.trainables.map(({ name, shape }) => [name, shape])]),
    ),
  };
}

function splitIdentity({ survey }: SplitPlan): z.output<typeof split> {
  const { rows, sizes, contents, summary } = survey;
  return {
    sha256: summary.sha256,
    rows: rows.length,
    used: digest(rows.map((row, i) => `${row} ${sizes[i].tokens} ${sizes[i].labelTokens}`).join('\n')),
    pictures: digest(contents.map((pictures) => pictures.join(' ')).join('\n')),
  };
}

/** What differs, each with its old and its new value, in words. */
export function identityDifferences(before: RunIdentity, now: RunIdentity): string[] {
  return [
    ...differing('the weights of the model (fingerprint)', before.weights, now.weights),
    ...differing(
      'config, tokenizer or preprocessor of the model (fingerprint)',
      before.companions,
      now.companions,
    ),
    ...splitDifferences('data.train', before.data.train, now.data.train),
    ...splitDifferences('data.validation', before.data.validation, now.data.validation),
    ...differing('what is trained (digest of names, shapes and LoRA settings)', before.trained, now.trained),
  ];
}

function splitDifferences(
  name: string,
  before: z.output<typeof split> | undefined,
  now: z.output<typeof split> | undefined,
): string[] {
  if (!before || !now) {
    return before === now
      ? []
      : [`${name} (${before ? 'given' : 'none'} then, ${now ? 'given' : 'none'} now)`];
  }
  // One change shows in all of them; the first is the one to look at.
  return [
    ...differing(`${name} (SHA-256)`, before.sha256, now.sha256),
    ...differing(`${name} (rows that are used)`, before.rows, now.rows),
    ...differing(`${name} (digest of the rows' tokens)`, before.used, now.used),
    ...differing(`${name} (digest of the pictures' pixels)`, before.pictures, now.pictures),
  ].slice(0, 1);
}

function differing(what: string, before: string | number, now: string | number): string[] {
  const shown = (value: string | number) => (typeof value === 'string' ? `${value.slice(0, 12)}...` : value);
  return before === now ? [] : [`${what}: ${shown(before)} then, ${shown(now)} now`];
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
