import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import { errorFromWire, errorToWire } from '../../src/train/wire.ts';

describe('errors between threads', () => {
  it('keep their class, code, words and place', () => {
    const thrown = new LorikeetError('image', {
      file: 'a.png',
      row: 7,
      what: 'x expected, got y',
      fix: 'Do z.',
    });
    const error = errorFromWire(structuredClone(errorToWire(thrown)));
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error).toMatchObject({ code: 'image', place: { file: 'a.png', row: 7 }, fix: 'Do z.' });
    expect(error.message).toBe(thrown.message);
    expect(error.stack).toBe(thrown.stack);
  });

  it('stay plain where they are none of ours', () => {
    const error = errorFromWire(structuredClone(errorToWire(new TypeError('no'))));
    expect(error).not.toBeInstanceOf(LorikeetError);
    expect(error.message).toBe('no');
    expect(errorFromWire(errorToWire('text')).message).toBe('text');
  });
});
