import type { Encoded, Grid } from '../data/example.ts';
import type { SharedPrefix } from '../data/pack.ts';

/** One conversation with its pixels, ready for the model. */
export interface Sample {
  encoded: Encoded;
  /** In the order of their places in the text. */
  images: SampleImage[];
  /** Samples of one run that begin with the same prefix compute it once. */
  prefix?: SharedPrefix;
}

/** A picture as the vision tower reads it, or as what the tower made of it: one of the two is there. */
export interface SampleImage {
  grid: Grid;
  /** What it holds: SHA-256 of its size and decoded pixels, base64. */
  content: string;
  /** [P, patchLength] as the processor cut it. */
  patches?: Float32Array;
  /** [m, D] */
  embedding?: Float32Array;
}

/** What the loss saw of one sample: its N label tokens in the order they stand in the text. */
export interface SampleLoss {
  /** [N] negative log-probability of each label token, natural log. */
  losses: Float32Array;
  /** [N] 1 where the label token was the likeliest one. */
  hits: Uint8Array;
  /** [N] probability of the likeliest token. */
  top: Float32Array;
}

/** One token as the model saw it coming. */
export interface TokenLoss {
  /** Negative log-probability of the token that stands there, natural log. */
  loss: number;
  /** The likeliest tokens in its place, the likeliest first. */
  top: { id: number; probability: number }[];
}

/** Addresses every random draw of a training step; with the row, module and element it fixes a dropout mask. */
export interface StepAddress {
  seed: number;
  step: number;
}

export interface Gradients {
  samples: SampleLoss[];
  /**
   * By parameter name: the gradient of the SUM of the label losses over all samples of the call. A parameter that no
   * sample reaches (the vision tower, without images) has none.
   */
  gradients: Map<string, Float32Array>;
}

/** A parameter that the run trains. `values` is updated in place by the optimizer and read by the next run. */
export interface Trainable {
  name: string;
  shape: number[];
  values: Float32Array<ArrayBuffer>;
  /** False for biases and norm weights. */
  decay: boolean;
}

/** The compiled model as the loop sees it. Samples of one call share a graph run and never see each other. */
export interface CompiledStep {
  trainables: Trainable[];
  /** Losses alone, without dropout. */
  evaluate(samples: Sample[]): Promise<SampleLoss[]>;
  /** Losses and the gradients of their sum. */
  gradients(samples: Sample[], address: StepAddress): Promise<Gradients>;
  close(): Promise<void>;
}
