import { expect, it } from 'vitest';
import { MemoryShelf } from '../../src/cache/memory.ts';

const two = () => new Float32Array(2); // 8 bytes

it('keeps what came first where the same things come again and again', () => {
  const shelf = new MemoryShelf(16, 'first');
  expect(['a', 'b', 'c'].map((name) => shelf.put(name, two()))).toEqual([true, true, false]);
  shelf.get('a');
  expect(['a', 'b', 'c'].map((name) => shelf.has(name))).toEqual([true, true, false]);
});

it('lets the longest unused go where nothing comes again', () => {
  const shelf = new MemoryShelf(16, 'recent');
  for (const name of ['a', 'b']) shelf.put(name, two());
  shelf.get('a');
  expect(shelf.put('c', two())).toBe(true);
  expect(['a', 'b', 'c'].map((name) => shelf.has(name))).toEqual([true, false, true]);
  expect(shelf.put('larger than all', new Float32Array(5))).toBe(false);
  expect(shelf.has('a')).toBe(true);
});

it('keeps nothing without a budget', () => {
  for (const policy of ['first', 'recent'] as const) {
    const shelf = new MemoryShelf(0, policy);
    expect(shelf.put('a', two())).toBe(false);
    expect(shelf.get('a')).toBeUndefined();
  }
});
