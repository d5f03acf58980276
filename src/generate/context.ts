/**
 * A text that the model keeps in mind, so that what comes after it is read alone: the picture that several questions
 * are about, or a conversation so far. Exact: no token sees what stands behind it.
 */
import { mropePositions } from '../models/qwen2-vl/positions.ts';
import type { Prefilled } from './decode.ts';
import type { KeyValueStore } from './key-value-store.ts';
import { type PlacedImage, type Prompt, sharedLength } from './prompt.ts';
import type { Reading, ReadingModel } from './reading-model.ts';
import { Sequence } from './sequence.ts';

const nothing: Prompt = { ids: new Int32Array(0), images: [] };

export interface Branch extends Prefilled {
  /** Tokens of the prompt that were held. */
  shared: number;
}

export class Context {
  readonly store: KeyValueStore;
  readonly #model: ReadingModel;
  /** What the first rows of the store are, token by token. */
  #held: Prompt = nothing;
  #epoch: number;
  #tokensRead = 0;

  constructor(model: ReadingModel) {
    this.#model = model;
    this.#epoch = model.epoch;
    this.store = model.newStore();
  }

  /** Tokens that went through the model for this context, of prompts and of `hold`. */
  get tokensRead(): number {
    return this.#tokensRead;
  }

  /** Keeps the first `length` tokens of a prompt, and reads those of them that are not yet there. */
  async hold(prompt: Prompt, length: number): Promise<void> {
    const shared = Math.min(this.#shared(prompt), length);
    this.#keep(prompt, shared);
    if (shared < length) {
      await this.#read([this.#reading(prompt, shared, length)], imagesIn(prompt, shared, length));
      this.#keep(prompt, length);
    }
  }

  /** Forgets what is not the beginning of this prompt; how many tokens stay comes back. */
  rewind(prompt: Prompt): number {
    const shared = this.#shared(prompt);
    this.#keep(prompt, shared);
    return shared;
  }

  /** Reads the rest of several prompts in one run, none seeing another. What is held stays as it is. */
  async branch(prompts: readonly Prompt[]): Promise<Branch[]> {
    this.release();
    // The last token is always read: what follows it is the question.
    const starts = prompts.map((prompt) => Math.min(this.#shared(prompt), prompt.ids.length - 1));
    const readings = prompts.map((prompt, i) => this.#reading(prompt, starts[i], prompt.ids.length));
    const images = prompts.flatMap((prompt, i) => imagesIn(prompt, starts[i], prompt.ids.length));
    const logits = await this.#read(readings, images);
    return readings.map(({ sequence }, i) => ({ sequence, logits: logits[i], shared: starts[i] }));
  }

  /** Holds the one branch that was read after `rewind`, and what was decoded behind it. */
  adopt(prompt: Prompt, answer: readonly number[]): void {
    const read = this.store.length - prompt.ids.length; // the last token of an answer is never read
    const ids = Int32Array.from([...prompt.ids, ...answer.slice(0, read)]);
    this.#held = { ids, images: prompt.images };
  }

  /** Forgets what was read behind the text that is held. */
  release(): void {
    this.store.truncate(this.#held.ids.length);
  }

  #keep(prompt: Prompt, length: number): void {
    const images = prompt.images.filter(({ end }) => end <= length);
    this.#held = { ids: prompt.ids.slice(0, length), images };
    this.release();
  }

  /** Tokens of a prompt that are held. Another adapter's keys and values mean nothing. */
  #shared(prompt: Prompt): number {
    if (this.#epoch !== this.#model.epoch) {
      this.#epoch = this.#model.epoch;
      this.#keep(nothing, 0);
    }
    return sharedLength(this.#held, prompt);
  }

  /** The held text's rows are the first of the store, in order. */
  #reading({ ids, images }: Prompt, start: number, end: number): Reading {
    const { imageTokenId, vision } = this.#model.config;
    const grids = images.map(({ image }) => image.grid);
    const { indices } = mropePositions(ids, grids, { imageTokenId, mergeSize: vision.spatialMergeSize });
    const sequence = new Sequence();
    sequence.add(0, start);
    const part = new Int32Array(3 * (end - start));
    for (let axis = 0; axis < 3; axis++) {
      const line = axis * ids.length;
      part.set(indices.subarray(line + start, line + end), axis * (end - start));
      for (const index of indices.subarray(line, line + start))
        sequence.next = Math.max(sequence.next, index + 1);
    }
    return { sequence, ids: ids.slice(start, end), indices: part };
  }

  async #read(readings: Reading[], images: readonly PlacedImage[]): Promise<Float32Array[]> {
    const embeddings = await this.#model.embed(images.map(({ image }) => image));
    for (const { ids } of readings) this.#tokensRead += ids.length;
    return this.#model.read(this.store, readings, embeddings);
  }
}

const imagesIn = ({ images }: Prompt, start: number, end: number): PlacedImage[] =>
  images.filter((image) => image.start >= start && image.end <= end);
