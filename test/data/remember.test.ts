import { describe, expect, it } from 'vitest';
import { remember } from '../../src/data/remember.ts';
import { tinyFolder, tokenizerOf } from './conversations.ts';

describe('what is remembered', () => {
  it('is made once for each text, within bounds', () => {
    const made: string[] = [];
    const upper = remember((text) => {
      made.push(text);
      return text.toUpperCase();
    }, 2);
    expect(['a', 'b', 'a', 'b'].map(upper)).toEqual(['A', 'B', 'A', 'B']);
    expect(made).toEqual(['a', 'b']);
    expect(['c', 'c', 'a'].map(upper)).toEqual(['C', 'C', 'A']);
    expect(made).toEqual(['a', 'b', 'c', 'a']);
  });

  it('is not what is too long, nor what failed', () => {
    let calls = 0;
    const length = remember((text) => {
      if (++calls === 1) throw new Error('once');
      return text.length;
    });
    expect(() => length('x')).toThrow('once');
    expect(length('x')).toBe(1);
    const long = 'x'.repeat(5000);
    expect([length(long), length(long)]).toEqual([5000, 5000]);
    expect(calls).toBe(4);
  });

  it('of a tokenizer is not changed by who asks', async () => {
    const { encodeText } = await tokenizerOf(tinyFolder);
    const ids = encodeText('Is there a polyp?');
    const before = [...ids];
    ids.fill(-1);
    expect(encodeText('Is there a polyp?')).toEqual(before);
  });
});
