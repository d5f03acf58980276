/** Logits, losses and gradients held against transformers and PEFT: see reference/parity. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mropePositions } from '../../src/models/qwen2-vl/positions.ts';
import {
  decode,
  decodeAll,
  type ForwardCase,
  forwardCases,
  largestDifferenceOverLargest,
  loadForwardCase,
  relativeL2,
  samplesOf,
} from '../support/parity.ts';
import { compileCase, tensorName } from '../support/parity-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(forwardCases)('%s', (name) => {
  const parity = loadForwardCase(name);
  const samples = samplesOf(parity);
  const compile = (options = {}) => compileCase(parity, parity.gradients, join(folder, name), options);

  it('selects the modules that PEFT selects', async () => {
    const { lora } = await compile();
    expect([...lora.keys()].sort()).toEqual(parity.lora?.modules ?? []);
  });

  it('has the positions of get_rope_index', async () => {
    const { config } = await compile();
    parity.samples.forEach(({ ids, grids, positions, positionDelta }) => {
      const { imageTokenId, vision } = config;
      const found = mropePositions(ids, grids, { imageTokenId, mergeSize: vision.spatialMergeSize });
      expect([...found.indices]).toEqual(positions.flat());
      expect(found.delta).toBe(positionDelta);
    });
  });

  it('gets losses within 1e-5 and gradients within 1e-5 relative L2, one sample at a time', async () => {
    const { step } = await compile();
    const sums = new Map<string, Float32Array>();
    for (const [i, sample] of samples.entries()) {
      const { samples: losses, gradients } = await step.gradients([sample], { seed: 1, step: 0 });
      expect(largestDifferenceOverLargest(losses[0].losses, decode(parity.samples[i].losses))).toBeLessThan(
        1e-5,
      );
      for (const [key, gradient] of gradients)
        sums.set(
          key,
          Float32Array.from(gradient, (value, j) => value + (sums.get(key)?.[j] ?? 0)),
        );
    }
    await step.close();
    expectGradients(sums);
  });

  it('gets the same from all samples in one run, with recompute', async () => {
    const { step } = await compile({ recompute: true });
    const { samples: losses, gradients } = await step.gradients(samples, { seed: 1, step: 0 });
    const scored = await step.evaluate(samples);
    await step.close();
    losses.forEach((sample, i) => {
      const expected = decode(parity.samples[i].losses);
      expect(largestDifferenceOverLargest(sample.losses, expected)).toBeLessThan(1e-5);
      expect(largestDifferenceOverLargest(scored[i].losses, expected)).toBeLessThan(1e-5);
      expect([...sample.hits]).toEqual(expectedHits(parity.samples[i]));
    });
    expectGradients(gradients);
  });

  function expectGradients(found: Map<string, Float32Array>) {
    const expected = decodeAll(parity.gradients);
    expect(found.size).toBe(expected.size);
    for (const [key, gradient] of expected) {
      const ours = found.get(tensorName(key));
      expect(ours, key).toBeDefined();
      expect(relativeL2(ours!, gradient), key).toBeLessThan(1e-5);
    }
  }
});

function expectedHits({ logits, ids, rows }: ForwardCase['samples'][number]): number[] {
  const width = logits.shape[1];
  const values = decode(logits);
  return rows.map((row, n) => {
    const line = values.subarray(n * width, (n + 1) * width);
    return Number(line[ids[row + 1]] >= Math.max(...line));
  });
}
