import { type Encoded, isLabel, tokenKinds } from '../../src/data/example.ts';
import { createSource, type SampleSource } from '../../src/train/source.ts';
import type { CompiledStep, Gradients, Sample, SampleLoss, Trainable } from '../../src/train/step.ts';

/**
 * The smallest model with an exact gradient: logits of token t = weight[ids[t - 1]] + bias. V tokens,
 * weight [V, V] decays, bias [V] does not. Everything in f64 inside, as the reference for the loop's own sums.
 */
export function bigramStep(V: number): CompiledStep & { calls: { rows: number[]; step: number }[] } {
  const weight: Trainable = {
    name: 'weight',
    shape: [V, V],
    values: Float32Array.from({ length: V * V }, (_, i) => Math.sin(i) / 2),
    decay: true,
  };
  const bias: Trainable = {
    name: 'bias',
    shape: [V],
    values: Float32Array.from({ length: V }, (_, i) => Math.cos(i) / 3),
    decay: false,
  };
  const calls: { rows: number[]; step: number }[] = [];
  const forward = (sample: Sample, gradients?: Map<string, Float32Array>): SampleLoss => {
    const { ids, kinds } = sample.encoded;
    const losses: number[] = [];
    const hits: number[] = [];
    const top: number[] = [];
    for (let t = 1; t < ids.length; t++) {
      if (!isLabel(kinds[t])) continue;
      const from = ids[t - 1];
      const logits = Array.from({ length: V }, (_, v) => weight.values[from * V + v] + bias.values[v]);
      const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
      losses.push(Math.log(total) - logits[ids[t]]);
      hits.push(logits.indexOf(Math.max(...logits)) === ids[t] ? 1 : 0);
      top.push(Math.exp(Math.max(...logits)) / total);
      for (let v = 0; gradients && v < V; v++) {
        const d = Math.exp(logits[v]) / total - (v === ids[t] ? 1 : 0);
        gradients.get('weight')![from * V + v] += d;
        gradients.get('bias')![v] += d;
      }
    }
    return { losses: Float32Array.from(losses), hits: Uint8Array.from(hits), top: Float32Array.from(top) };
  };
  return {
    calls,
    trainables: [weight, bias],
    evaluate: async (samples) => samples.map((sample) => forward(sample)),
    async gradients(samples, { step }): Promise<Gradients> {
      calls.push({ rows: samples.map((sample) => sample.encoded.row), step });
      const gradients = new Map([
        ['weight', new Float32Array(V * V)],
        ['bias', new Float32Array(V)],
      ]);
      return { samples: samples.map((sample) => forward(sample, gradients)), gradients };
    },
    close: async () => {},
  };
}

/** `kinds` in letters: u user, h header, a answer, e end. */
export function encodedRow(row: number, ids: number[], kinds: string): Encoded {
  const names = { u: 'user', h: 'header', a: 'answer', e: 'end' } as const;
  const index = [...kinds].map((letter) => tokenKinds.indexOf(names[letter as keyof typeof names]));
  return { row, ids: Int32Array.from(ids), kinds: Uint8Array.from(index), grids: [], images: [] };
}

export function sourceOf(rows: Encoded[]): SampleSource {
  const sizes = rows.map(({ ids, kinds }) => ({
    tokens: ids.length,
    labelTokens: [...kinds].filter((kind, t) => t > 0 && isLabel(kind)).length,
    pixelBytes: 0,
  }));
  return createSource(sizes, {
    lookAheadBytes: 1000,
    load: async (index) => ({ encoded: rows[index], images: [] }),
  });
}
