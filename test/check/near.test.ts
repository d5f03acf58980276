import { describe, expect, it } from 'vitest';
import { difference, distance, type Look } from '../../src/check/look.ts';
import { NearIndex } from '../../src/check/near.ts';
import { stream } from '../../src/random.ts';

const draws = stream(3, 'looks');
const word = () => draws.integer(2 ** 16) * 2 ** 16 + draws.integer(2 ** 16);
const drawn = (): Look => ({
  bits: [word(), word()],
  copy: Uint8Array.from({ length: 768 }, () => draws.integer(256)),
});

function flipped({ bits: [high, low], copy }: Look, count: number): Look {
  const places = new Set<number>();
  while (places.size < count) places.add(draws.integer(64));
  for (const place of places) {
    if (place < 32) high = (high ^ (1 << place)) >>> 0;
    else low = (low ^ (1 << (place - 32))) >>> 0;
  }
  return { bits: [high, low], copy };
}

describe('the index of looks', () => {
  const looks = Array.from({ length: 1500 }, drawn);
  const index = new NearIndex<number>();
  for (const [i, look] of looks.entries()) index.add(i, look);

  it('finds every look with up to 11 other bits, and none with 12', () => {
    for (let i = 0; i < looks.length; i++) {
      expect(index.find(flipped(looks[i], i % 12)), `look ${i}`).toBe(i);
      expect(index.find(flipped(looks[i], 12)), `look ${i}`).toBeUndefined();
    }
  });

  it('wants the small copies to agree too', () => {
    const { bits, copy } = looks[7];
    const changed = (by: number) => copy.map((level, i) => (i % 2 === 0 ? Math.min(255, level + by) : level));
    expect(index.find({ bits, copy: changed(4) })).toBe(7);
    expect(index.find({ bits, copy: changed(40) })).toBeUndefined();
  });

  it('gives the most alike of several', () => {
    const several = new NearIndex<string>();
    const one = drawn();
    const levels = (by: number) =>
      one.copy.map((level, i) => (i % 2 === 0 && level < 200 ? level + by : level));
    several.add('other', { bits: one.bits, copy: levels(9) });
    several.add('nearer', flipped({ bits: one.bits, copy: levels(3) }, 6));
    several.add('other too', { bits: one.bits, copy: levels(8) });
    expect(several.find(one)).toBe('nearer');
  });

  it('agrees with comparing all with all', () => {
    // Bits that are much alike, copies that are not much apart: many are near, many just not.
    const base = { bits: [0x12345678, 0x9abcdef0] as const, copy: new Uint8Array(768).fill(100) };
    const close = () => {
      const by = draws.integer(20);
      const copy = base.copy.map((level, i) => (i % 2 === 0 ? level + by : level));
      return { bits: flipped(base, draws.integer(16)).bits, copy };
    };
    const known = Array.from({ length: 200 }, close);
    const small = new NearIndex<number>();
    for (const [i, look] of known.entries()) small.add(i, look);
    let found = 0;
    for (let n = 0; n < 200; n++) {
      const asked = close();
      const near = known.filter(({ bits, copy }) => {
        return distance(bits, asked.bits) <= 11 && difference(copy, asked.copy) <= 6.5;
      });
      const least = Math.min(...near.map(({ copy }) => difference(copy, asked.copy)));
      const got = small.find(asked);
      expect(got === undefined).toBe(near.length === 0);
      if (got === undefined) continue;
      found++;
      expect(difference(known[got].copy, asked.copy)).toBe(least);
    }
    expect(found).toBeGreaterThan(20);
    expect(found).toBeLessThan(200);
  });

  it('stays quick where thousands hash alike', () => {
    const flat = new NearIndex<number>();
    const shade = (level: number): Look => ({ bits: [0, 0], copy: new Uint8Array(768).fill(level) });
    for (let n = 0; n < 20_000; n++) flat.add(n, shade(n % 256));
    expect(flat.find(shade(30))).toBeDefined();
    expect(flat.find({ bits: [0, 0], copy: drawn().copy })).toBeUndefined();
  });
});
