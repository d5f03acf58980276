import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import { createSource } from '../../src/train/source.ts';
import type { Sample } from '../../src/train/step.ts';
import { encodedRow } from './bigram.ts';

const sample = (index: number): Sample => ({ encoded: encodedRow(index, [0, 1], 'ua'), images: [] });
const sizesOf = (...bytes: number[]) =>
  bytes.map((pixelBytes) => ({ tokens: 2, labelTokens: 1, pixelBytes }));

describe('sample source', () => {
  it('gives the batches in order and asks for the next ones before they are needed', async () => {
    const asked: number[] = [];
    const load = async (index: number) => {
      asked.push(index);
      return sample(index);
    };
    const source = createSource(sizesOf(40, 40, 40, 40, 40), { load, lookAheadBytes: 100 });
    const seen: number[][] = [];
    const askedThen: number[] = [];
    for await (const batch of source.stream([[0], [1], [2], [3], [4]])) {
      seen.push(batch.map(({ encoded }) => encoded.row));
      askedThen.push(asked.length);
    }
    expect(seen).toEqual([[0], [1], [2], [3], [4]]);
    // 100 bytes are reached by three waiting batches of 40.
    expect(askedThen).toEqual([4, 5, 5, 5, 5]);
  });

  it('loads one batch ahead even where a single one is beyond the bound', async () => {
    const asked: number[] = [];
    const load = async (index: number) => {
      asked.push(index);
      return sample(index);
    };
    const source = createSource(sizesOf(500, 500, 500), { load, lookAheadBytes: 100 });
    const stream = source.stream([[0], [1], [2]]);
    await stream.next();
    expect(asked).toEqual([0, 1, 2]);
  });

  it('throws where the batch is needed, not where it was loaded ahead', async () => {
    const load = async (index: number) => {
      if (index === 2) throw new LorikeetError('image', { row: 2, what: 'a picture expected' });
      return sample(index);
    };
    const source = createSource(sizesOf(1, 1, 1), { load, lookAheadBytes: 100 });
    const seen: number[] = [];
    const run = async () => {
      for await (const [first] of source.stream([[0], [1], [2]])) {
        seen.push(first.encoded.row);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await expect(run()).rejects.toMatchObject({ code: 'image', place: { row: 2 } });
    expect(seen).toEqual([0, 1]);
  });

  it('can be walked twice at once', async () => {
    const source = createSource(sizesOf(1, 1), { load: async (index) => sample(index), lookAheadBytes: 9 });
    const first = source.stream([[0], [1]]);
    const second = source.stream([[1], [0]]);
    expect((await first.next()).value![0].encoded.row).toBe(0);
    expect((await second.next()).value![0].encoded.row).toBe(1);
    expect((await first.next()).value![0].encoded.row).toBe(1);
  });
});
