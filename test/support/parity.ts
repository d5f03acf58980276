import { readFileSync } from 'node:fs';
import type { Encoded, Grid } from '../../src/data/example.ts';
import { tokenKinds } from '../../src/data/example.ts';
import type { Sample } from '../../src/train/step.ts';
import { around } from './seeded.ts';

/** f32 values in a fixture, little-endian in base64. */
export interface Stored {
  shape: number[];
  data: string;
}

export interface StoredLora {
  rank: number;
  alpha: number;
  rslora: boolean;
  scale: number;
  /** Suffixes, or one regex over whole module names. */
  targetModules: string[] | string;
  /** Names of the modules that PEFT wrapped, sorted. */
  modules: string[];
  /** B is uniform within this; 0 for a fresh adapter. */
  bAmplitude: number;
}

export interface StoredCheckpoint {
  dtype: 'f32' | 'bf16' | 'f16';
  shards: number;
  naming: 'old' | 'new';
}

/** A conversation as tokens. T tokens, N labels, V vocabulary, D hidden. */
export interface StoredTokens {
  ids: number[];
  /** [start, end) of every answer with its turn's end. */
  spans: [number, number][];
  grids: Grid[];
}

export interface StoredSample extends StoredTokens {
  /** [3, T] */
  positions: number[][];
  positionDelta: number;
  /** [N] the rows that predict the labels: t - 1 for the label at t. */
  rows: number[];
  /** [N, V] */
  logits: Stored;
  /** [N] */
  losses: Stored;
  /** [image tokens, D] what the merger gives, all images one after another. */
  imageFeatures?: Stored;
}

/** What every case stands on. */
export interface ParityModel {
  name: string;
  seed: number;
  checkpoint: StoredCheckpoint;
  /** config.json in its nested form. */
  config: ParityConfig;
  lora: StoredLora | null;
  /** Over the f32 values of all weights, sorted by new name. */
  weightsSha256: string;
}

export interface ForwardCase extends ParityModel {
  samples: StoredSample[];
  /** By PEFT's key, or by the weight's new name where `lora` is null; of the sum of all label losses. */
  gradients: Record<string, Stored>;
}

/** A run of the Hugging Face Trainer over the samples in their order, one sample a micro-batch. */
export interface TrainingCase extends ParityModel {
  training: {
    epochs: number;
    gradientAccumulation: number;
    learningRate: number;
    weightDecay: number;
    schedule: 'linear' | 'cosine' | 'constant';
    warmupSteps: number;
    maxGradNorm: number;
  };
  samples: StoredTokens[];
  steps: StoredStep[];
  /** What is trained, after the last step; by PEFT's key, or by the weight's new name where `lora` is null. */
  final: Record<string, Stored>;
  /** For each sample, [N] losses after the last step. */
  finalLosses: Stored[];
}

export interface StoredStep {
  /** From 1. */
  step: number;
  /** Indices into `samples`. */
  rows: number[];
  /** Mean over the label tokens of the step. */
  loss: number;
  /** Before clipping. */
  gradNorm: number;
  learningRate: number;
  labelTokens: number;
}

export interface ParityConfig {
  [key: string]: unknown;
  tie_word_embeddings: boolean;
  image_token_id: number;
  text_config: Record<string, unknown> & Record<TextSize, number> & { rope_parameters: RopeParameters };
  vision_config: Record<string, unknown> & Record<VisionSize, number>;
}
type TextSize =
  | 'vocab_size'
  | 'hidden_size'
  | 'intermediate_size'
  | 'num_hidden_layers'
  | 'num_attention_heads'
  | 'num_key_value_heads';
type VisionSize = 'depth' | 'embed_dim' | 'mlp_ratio' | 'patch_size' | 'spatial_merge_size' | 'in_channels';
interface RopeParameters {
  rope_theta: number;
  mrope_section: number[];
}

export const forwardCases = [
  'no-image',
  'one-image',
  'two-images',
  'multi-turn',
  'system',
  'mha-tied',
  'gqa-wide',
  'bf16-sharded-old',
  'f16',
  'f32-sharded-new',
  'bf16-tied-old',
  'vision-lora',
  'rslora',
  'regex',
  'full',
] as const;

export function loadForwardCase(name: (typeof forwardCases)[number]): ForwardCase {
  return loadFixture(name) as ForwardCase;
}

export const trainingCases = [
  'train-fresh',
  'train-continue',
  'train-cosine-vision',
  'train-constant-rslora',
  'train-full',
] as const;

export function loadTrainingCase(name: (typeof trainingCases)[number]): TrainingCase {
  return loadFixture(name) as TrainingCase;
}

export function loadFixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../fixtures/parity/${name}.json`, import.meta.url), 'utf8'));
}

export function decode(stored: Stored): Float32Array<ArrayBuffer> {
  // A copy, because a pooled buffer need not start at a multiple of 4.
  return new Float32Array(new Uint8Array(Buffer.from(stored.data, 'base64')).buffer);
}

export function decodeAll(stored: Record<string, Stored>): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(Object.entries(stored).map(([name, value]) => [name, decode(value)]));
}

/** Adapter tensors as the case starts with them, by PEFT's key; shapes from `like`. */
export function initialAdapter(
  { seed, lora }: ParityModel,
  like: Record<string, Stored>,
): Map<string, { shape: number[]; values: Float32Array<ArrayBuffer> }> {
  if (!lora) return new Map();
  return new Map(
    Object.entries(like).map(([key, { shape }]) => {
      const amplitude = key.includes('.lora_A.') ? 1 / Math.sqrt(shape[1]) : lora.bAmplitude;
      return [key, { shape, values: around([seed, key], shape[0] * shape[1], amplitude) }];
    }),
  );
}

const patchLength = 3 * 2 * 14 * 14;

/** The samples of a case in the form a step takes, with their patches from the seed. */
export function samplesOf(model: ParityModel & { samples: StoredTokens[] }): Sample[] {
  return model.samples.map((sample, index) => ({
    encoded: encodedOf(sample, index, model.config.image_token_id),
    images: sample.grids.map((grid, image) => {
      const size = grid[0] * grid[1] * grid[2] * patchLength;
      const content = Buffer.from(`${model.name} ${index} ${image}`).toString('base64');
      return { grid, content, patches: around([model.seed, 'patches', index, image], size, 2) };
    }),
  }));
}

function encodedOf({ ids, spans, grids }: StoredTokens, row: number, imageToken: number): Encoded {
  const kinds = Uint8Array.from(ids, (id) => tokenKinds.indexOf(id === imageToken ? 'image' : 'user'));
  for (const [start, end] of spans) {
    kinds.fill(tokenKinds.indexOf('answer'), start, end - 2);
    kinds.fill(tokenKinds.indexOf('end'), end - 2, end);
  }
  return { row, ids: Int32Array.from(ids), kinds, grids, images: grids.map(() => ({ path: 'seeded' })) };
}

/** |a - b| / |b| in the 2-norm; `b` is the expected one. NaN where anything is NaN. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  sameLength(a, b);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** max |a - b| / max |b|; `b` is the expected one. NaN where anything is NaN. */
export function largestDifferenceOverLargest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  sameLength(a, b);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return difference === 0 ? 0 : difference / largest;
}

function sameLength(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) throw new RangeError(`expected ${b.length} values, got ${a.length}`);
}
