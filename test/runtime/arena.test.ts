import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/runtime/arena.ts';

const MB = 2 ** 20;

describe('the arena', () => {
  it('takes regions of 1, 2, 4 MB and counts of each what was stood on', () => {
    const arena = new Arena();
    arena.take(600_000); // in a region of 1 MB
    arena.take(600_000); // does not fit behind it: 2 MB
    arena.take(300_000); // fits behind the first
    expect(arena.touched).toBe(alignedTo256(600_000) + 300_000 + 600_000);
  });

  it('makes a region as large as what asks for it, in powers of two', () => {
    const arena = new Arena();
    arena.take(5 * MB); // 8 MB
    arena.take(2 * MB); // behind it, in the same region
    arena.take(9 * MB); // 16 MB
    arena.take(6 * MB); // behind that
    expect(arena.touched).toBe(22 * MB);
  });

  it('gives the smallest free place that is large enough, and joins neighbours that are free', () => {
    const arena = new Arena();
    const [a, b, c] = [arena.take(4 * MB), arena.take(2 * MB), arena.take(MB)]; // a fills 4; b and c in 4 more
    arena.give(a);
    arena.give(b);
    expect(arena.take(2 * MB)).toMatchObject({ region: b.region, start: b.start });
    expect(arena.take(4 * MB)).toMatchObject({ region: a.region, start: 0 });
    arena.give(c);
    // What c held and the untouched rest of its region are one place now.
    expect(arena.take(2 * MB)).toMatchObject({ region: c.region, start: c.start });
  });

  it('leaves a place whole where less than half of it would be left over', () => {
    const arena = new Arena();
    const whole = arena.take(4 * MB);
    arena.give(whole);
    const [three] = [arena.take(3 * MB)];
    expect(three.size).toBe(4 * MB);
    expect(arena.take(MB)).not.toMatchObject({ region: three.region });
  });

  it('holds what it held: nothing goes back', () => {
    const arena = new Arena();
    arena.give(arena.take(100 * MB));
    const before = arena.touched;
    arena.give(arena.take(MB));
    expect(before).toBe(100 * MB);
    expect(arena.touched).toBe(before);
  });
});

const alignedTo256 = (bytes: number) => Math.ceil(bytes / 256) * 256;
