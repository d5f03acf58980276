import { expect, it } from 'vitest';
import { KeyValueStore } from '../../src/generate/key-value-store.ts';
import { Sequence } from '../../src/generate/sequence.ts';

it('keeps rows while it grows, and hands out the used part alone', () => {
  const store = new KeyValueStore(2, 1);
  expect(store.rows()).toEqual({ data: new Float32Array(0), dims: [0, 2] });
  expect(store.append(Float32Array.of(1, 2))).toBe(0);
  expect(store.append(Float32Array.of(3, 4, 5, 6, 7, 8))).toBe(1);
  expect(store.rows()).toEqual({ data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), dims: [4, 2] });
  store.truncate(2);
  store.truncate(3); // is no way to grow
  expect(store.length).toBe(2);
  expect(store.append(Float32Array.of(9, 10))).toBe(2);
  expect(store.rows().data).toEqual(Float32Array.of(1, 2, 3, 4, 9, 10));
});

it('knows the rows of a text that stand between those of others', () => {
  const one = new Sequence();
  one.add(0, 4);
  one.add(4, 1);
  one.next = 7;
  const other = one.fork();
  one.add(5, 1);
  other.add(6, 1);
  one.add(7, 1);
  other.add(8, 0);
  expect(one.ranges).toEqual([
    [0, 6],
    [7, 8],
  ]);
  expect(other.ranges).toEqual([
    [0, 5],
    [6, 7],
  ]);
  expect(other.next).toBe(7);
});
