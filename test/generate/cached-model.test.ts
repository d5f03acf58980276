/** Reading token by token held against the logits of transformers' full forward pass: see reference/parity. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CachedModel } from '../../src/generate/cached-model.ts';
import type { KeyValueStore } from '../../src/generate/key-value-store.ts';
import { Sequence } from '../../src/generate/sequence.ts';
import { mropePositions } from '../../src/models/qwen2-vl/positions.ts';
import type { Sample } from '../../src/train/step.ts';
import {
  decode,
  type ForwardCase,
  forwardCases,
  largestDifferenceOverLargest,
  loadForwardCase,
  samplesOf,
} from '../support/parity.ts';
import { writeCase } from '../support/parity-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-cached-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function open(parity: ForwardCase, pack = false) {
  const dirs = await writeCase(parity, parity.gradients, join(folder, parity.name));
  return CachedModel.open({ ...dirs, threads: 1, pack });
}

interface Text {
  model: CachedModel;
  store: KeyValueStore;
  sequence: Sequence;
  sample: Sample;
}

/** Reads tokens [start, end) of a sample; image tokens must all lie in the first part. */
async function readPart({ model, store, sequence, sample }: Text, start: number, end: number) {
  const { imageTokenId, vision, text } = model.config;
  const { ids, grids } = sample.encoded;
  const { indices } = mropePositions(ids, grids, { imageTokenId, mergeSize: vision.spatialMergeSize });
  const rows = [0, 1, 2].flatMap((axis) =>
    [...indices.slice(axis * ids.length, (axis + 1) * ids.length)].slice(start, end),
  );
  const images = ids.subarray(start, end).includes(imageTokenId) ? sample.images : [];
  const embeddings = await model.embed(images.map((image) => ({ ...image })));
  const reading = { sequence, ids: ids.slice(start, end), indices: Int32Array.from(rows) };
  const [logits] = await model.read(store, [reading], embeddings);
  expect(logits).toHaveLength(text.vocabSize);
  return logits;
}

const begin = (model: CachedModel, sample: Sample, store = model.newStore(4)): Text => ({
  model,
  sample,
  store,
  sequence: new Sequence(),
});

const lineOf = ({ logits }: ForwardCase['samples'][number], n: number) => {
  const words = logits.shape[1];
  return decode(logits).subarray(n * words, (n + 1) * words);
};

const bound = 1e-5;

describe.each(forwardCases)('%s', (name) => {
  const parity = loadForwardCase(name);
  const samples = samplesOf(parity);

  it.each([
    ['mapped', false],
    ['packed', true],
  ])('gets the logits of the full pass, prompt at once and then token by token, %s', async (_, pack) => {
    const model = await open(parity, pack);
    for (const [i, sample] of samples.entries()) {
      const expected = parity.samples[i];
      const lastImage = sample.encoded.ids.lastIndexOf(model.config.imageTokenId);
      const first = expected.rows.findIndex((row) => row > lastImage);
      const text = begin(model, sample);
      let read = 0;
      for (let n = first; n < expected.rows.length; n++) {
        // Several tokens at a time where a question stands between two answers.
        const logits = await readPart(text, read, expected.rows[n] + 1);
        read = expected.rows[n] + 1;
        expect(largestDifferenceOverLargest(logits, lineOf(expected, n)), `row ${n}`).toBeLessThan(bound);
      }
      expect(text.sequence.next - read).toBe(expected.positionDelta);
      expect(text.store.length).toBe(read);
    }
    await model.close();
  });

  it('gets the same from several texts in one store', async () => {
    const model = await open(parity);
    const store = model.newStore();
    const texts = [...samples, ...samples].map((sample) => begin(model, sample, store));
    for (const text of texts)
      await readPart(text, 0, parity.samples[samples.indexOf(text.sample)].rows.at(-1)!);
    for (const text of texts) {
      const expected = parity.samples[samples.indexOf(text.sample)];
      const last = expected.rows.length - 1;
      const logits = await readPart(text, expected.rows[last], expected.rows[last] + 1);
      expect(largestDifferenceOverLargest(logits, lineOf(expected, last))).toBeLessThan(bound);
    }
    await model.close();
  });
});

describe('an adapter', () => {
  it('is swapped without opening the model again, and its absence is the base', async () => {
    const parity = loadForwardCase('one-image');
    const [sample] = samplesOf(parity);
    const { modelDir, adapterDir } = await writeCase(parity, parity.gradients, join(folder, 'swap'));
    const answer = async (model: CachedModel) => readPart(begin(model, sample), 0, sample.encoded.ids.length);
    const base = await CachedModel.open({ modelDir, threads: 1 });
    const adapted = await CachedModel.open({ modelDir, adapterDir, threads: 1 });
    const [without, with_] = [await answer(base), await answer(adapted)];
    expect(largestDifferenceOverLargest(without, with_)).toBeGreaterThan(0.01);
    await adapted.useAdapter(undefined);
    expect(largestDifferenceOverLargest(await answer(adapted), without)).toBeLessThan(bound);
    await base.useAdapter(adapterDir);
    expect(largestDifferenceOverLargest(await answer(base), with_)).toBeLessThan(bound);
    await expect(base.useAdapter(modelDir)).rejects.toMatchObject({ code: 'adapter' });
    expect(largestDifferenceOverLargest(await answer(base), with_)).toBeLessThan(bound);
    await Promise.all([base.close(), adapted.close()]);
  });
});
