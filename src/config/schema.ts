/** The words of a config file: their types, limits and defaults. What a word means stands beside it, once. */
import { z } from 'zod';
import { bestMetrics } from './best-metrics.ts';
import { byteSize, bytesOf } from './byte-size.ts';

const wholeFrom = (least: number) => z.int().min(least);
const text = z.string().min(1);
const path = text.describe('path, relative to the config file');
const names = z.array(text).min(1);

/** More than any machine has; ONNX Runtime fails on far more. */
export const mostThreads = 1024;

export const decoderLinears = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

export const fieldsSchema = z.strictObject({
  image: text.optional(),
  question: text.optional(),
  answer: text.optional(),
  type: text.optional(),
  answerType: text.optional(),
  group: text.optional(),
});

export const dataSchema = z.strictObject({
  train: path.describe('rows to train on: .jsonl, .json or .parquet'),
  validation: path.optional().describe('rows to evaluate on, during and after training'),
  test: path.optional().describe('rows that are kept for the last word: lorikeet evaluate scores them'),
  images: path
    .optional()
    .describe('folder that image paths are relative to; without it, the data file stands beside them'),
  outside: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .describe("pictures that rows name in neither that folder nor the data file's own, links followed"),
  system: text.optional().describe('system text of every conversation that brings none'),
  maxLength: wholeFrom(1).default(2048).describe('tokens of a sample, image tokens counted'),
  fields: fieldsSchema.optional().describe('names of the columns, where they are not guessed right'),
  onBadRow: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('what a row that cannot be used does to the run'),
});

export const imageSchema = z.strictObject({
  minPixels: wholeFrom(1).optional().describe("overrides the checkpoint's preprocessor"),
  maxPixels: wholeFrom(1).optional().describe("overrides the checkpoint's preprocessor"),
  sixteenBit: z
    .enum(['clip', 'scale'])
    .default('clip')
    .describe('16-bit grey: clipped at 255, or scaled by the bits in use'),
});

export const loraSchema = z.strictObject({
  rank: wholeFrom(1).max(4096).default(16),
  alpha: z.number().positive().default(32).describe('scale = alpha / rank; alpha / sqrt(rank) with rslora'),
  dropout: z.number().min(0).lt(1).default(0),
  targetModules: z
    .union([names, text])
    .default(decoderLinears)
    .describe('suffixes of module names, or one regex for whole names, or all-linear'),
  rslora: z.boolean().default(false),
});

export const fullSchema = z.strictObject({
  parameters: z
    .union([names, text])
    .default('all')
    .describe('parameters trained whole: suffixes of their names, or one regex for whole names, or all'),
});

export const packSchema = z.strictObject({
  shareImages: z
    .boolean()
    .default(true)
    .describe('rows of a step about the same pictures compute them, and what stands before, once'),
  maxTokens: wholeFrom(1).default(1024).describe('rows of a step run together up to this many tokens'),
  maxBranches: wholeFrom(1)
    .default(8)
    .describe('rows about the same pictures that a shuffle leaves together'),
  order: z
    .enum(['groups', 'rows'])
    .default('groups')
    .describe('what a shuffled epoch shuffles: rows about the same pictures as one, or each row'),
});

export const trainSchema = z.strictObject({
  // The course of all steps is walked before the first.
  epochs: wholeFrom(1).max(100_000).default(3),
  maxSteps: wholeFrom(1).optional().describe('ends the run early; the schedule then ends there too'),
  learningRate: z.number().positive().max(1).default(5e-6),
  weightDecay: z.number().min(0).default(0.01).describe('not on biases and norms'),
  schedule: z.enum(['linear', 'cosine', 'constant']).default('linear'),
  warmupSteps: wholeFrom(0).default(0),
  warmupRatio: z.number().min(0).lt(1).optional().describe('share of all steps, instead of warmupSteps'),
  gradientAccumulation: wholeFrom(1).default(16).describe('rows of one optimizer step'),
  maxGradNorm: z
    .number()
    .min(0)
    .default(1)
    .describe('clips the global norm of the gradient; 0 does not clip'),
  onNotFinite: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('what a loss or gradient that is NaN or infinite does: ends the run, or leaves its step out'),
  explosion: z
    .number()
    .min(0)
    .default(10)
    .describe('times the median of the last gradient norms from which a step explodes; 0 looks for none'),
  onExplosion: z.enum(['warn', 'skip', 'stop']).default('warn').describe('what a step that explodes does'),
  onStuck: z
    .enum(['warn', 'stop'])
    .default('warn')
    .describe('what a loss that stays at ln V, the cost of guessing, does'),
  shuffle: z.boolean().default(true),
  seed: wholeFrom(0)
    .max(2 ** 32 - 1)
    .default(42),
  evaluateEvery: wholeFrom(0).default(50).describe('steps between evaluations; 0 evaluates at the end alone'),
  evaluateStart: z
    .boolean()
    .default(true)
    .describe(
      'scores the validation data before step 1 too: what the base, or the adapter gone on from, gives',
    ),
  gapRows: wholeFrom(0)
    .default(64)
    .describe('training rows scored with every evaluation, always the same, to tell the gap to validation'),
  saveEvery: wholeFrom(0)
    .optional()
    .describe('steps between checkpoints; 0 keeps none; every ten minutes where not given'),
  keep: wholeFrom(1).default(2).describe('checkpoints that are kept, the newest'),
  evaluateAnswers: wholeFrom(0)
    .default(0)
    .describe('validation rows, always the same, that the model answers at every evaluation'),
  bestBy: z
    .enum(bestMetrics)
    .default('loss')
    .describe('figure of an evaluation that chooses best/, and that train.patience waits for'),
  patience: wholeFrom(1)
    .optional()
    .describe('evaluations in a row without a better train.bestBy that end the run'),
  recompute: z
    .boolean()
    .default(true)
    .describe("computes a layer's activations again in the backward pass to save memory"),
  threads: wholeFrom(1).max(mostThreads).optional().describe('physical cores where not given'),
});

/** `cache: f16` and `cache: off` are short for sections: see `cache-words.ts`. */
export const cacheSchema = z.strictObject({
  precision: z
    .enum(['f32', 'f16'])
    .default('f32')
    .describe('how what the vision tower made of a picture is kept, and used'),
  memory: byteSize.default('1GB').describe('of it in memory, or off'),
  disk: byteSize.default('20GB').describe('of it on disk, for the next run too, or off'),
  folder: text.optional().describe('where on disk'),
});

export const configSchema = z.strictObject({
  model: path.describe('folder in Hugging Face layout, or the id of a pulled model'),
  adapter: path.optional().describe('adapter to go on from'),
  data: dataSchema,
  image: imageSchema.prefault({}),
  lora: loraSchema.optional().describe('excludes full'),
  full: fullSchema.optional().describe('trains parameters whole instead of LoRA beside them'),
  train: trainSchema.prefault({}),
  pack: packSchema.prefault({}),
  cache: cacheSchema.prefault({}),
  memory: z
    .custom<string | number>((value) => (bytesOf(value) ?? 0) > 0, {
      error: 'a size such as 12GB or 800MiB',
    })
    .optional()
    .describe('what the run may hold in memory, as 12GB or 800MiB; it is then cut to fit'),
  output: path.describe('run folder'),
});

/** A config as it is written: everything with a default may be left out. */
export type ConfigInput = Omit<z.input<typeof configSchema>, 'cache'> & {
  cache?: CacheInput;
};
/** One word in place of the section. */
export type CacheShorthand = 'f32' | 'f16' | 'off';
export type CacheInput = z.input<typeof cacheSchema> | CacheShorthand;
/** A config with every default filled in; `lora` and `full` stay absent where they were. */
export type Config = z.output<typeof configSchema>;
export type LoraConfig = z.output<typeof loraSchema>;
export type FullConfig = z.output<typeof fullSchema>;
export type DataConfig = z.output<typeof dataSchema>;
export type ImageConfig = z.output<typeof imageSchema>;
export type TrainConfig = z.output<typeof trainSchema>;
export type PackConfig = z.output<typeof packSchema>;
export type CacheConfig = z.output<typeof cacheSchema>;

export const loraDefaults: LoraConfig = loraSchema.parse({});

/** Words that name files and folders; `model` may be an id as well. */
export const pathWords = [
  'adapter',
  'data.train',
  'data.validation',
  'data.test',
  'data.images',
  'cache.folder',
  'output',
] as const;
