import { describe, expect, it } from 'vitest';
import { distance, meaningOf } from '../../src/config/habits.ts';
import { sections, words, wordsOf } from '../../src/config/words.ts';

describe('meaningOf', () => {
  it('never sends anybody to a word that does not exist', () => {
    const names = new Set(words.map((word) => word.name));
    for (const key of [
      'modelNameOrPath',
      'lr',
      'eval_steps',
      'lora_r',
      'image_dir',
      'gradClip',
      'iters',
      'columns',
      'packTokens',
    ]) {
      const word = /^Use ([\w.]+?)\.?$/.exec(meaningOf(key, ''))?.[1];
      expect(names.has(word ?? ''), `${key} -> ${word}`).toBe(true);
    }
  });

  it.each([
    ['early_stopping_patience', 'Use train.patience.'],
    ['early_stopping', 'Use train.patience: evaluations in a row'],
    ['metric_for_best_model', 'Use train.bestBy.'],
    ['greater_is_better', 'Leave it out: train.bestBy knows'],
    ['load_best_model_at_end', 'Leave it out: output/best is always kept'],
    ['predict_with_generate', 'Use train.evaluateAnswers: how many validation rows'],
    ['generation_max_length', 'Leave it out: an answer in an evaluation is cut after 128 tokens'],
    ['early_stopping_threshold', 'Leave it out: every improvement counts'],
  ])('answers %s: %s', (key, words) => {
    expect(meaningOf(key, 'train')).toContain(words);
  });

  it('lists what a section knows where nothing is near', () => {
    expect(meaningOf('frobnicate', 'image')).toBe('image knows: minPixels, maxPixels, sixteenBit.');
    expect(meaningOf('frobnicate', '')).toBe(`The file knows: ${wordsOf('').join(', ')}.`);
  });

  it('takes a precision for that of all arithmetic, as it is elsewhere', () => {
    for (const section of ['', 'train']) expect(meaningOf('precision', section)).toContain('computes in f32');
    expect(meaningOf('cache_latents', 'train')).toContain('computed once and kept');
    expect(meaningOf('freeze_vision_tower', '')).toContain('frozen unless');
  });

  it('copes with absurd keys', () => {
    expect(meaningOf('x'.repeat(100_000), 'train')).toContain('train knows');
    expect(meaningOf('', '')).toContain('The file knows');
    expect(meaningOf('ключ', '')).toContain('The file knows');
  });
});

describe('distance', () => {
  it.each([
    ['', '', 0],
    ['epochs', 'epcohs', 1],
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
  ])('%j to %j is %i', (a, b, expected) => {
    expect(distance(a, b)).toBe(expected);
  });
});

describe('words', () => {
  it('are those of the schema', () => {
    expect([...sections]).toEqual(['data', 'data.fields', 'image', 'lora', 'full', 'train', 'pack', 'cache']);
    expect(wordsOf('')).toEqual([
      'model',
      'adapter',
      'data',
      'image',
      'lora',
      'full',
      'train',
      'pack',
      'cache',
      'memory',
      'output',
    ]);
  });
});
