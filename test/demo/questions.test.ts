import { describe, expect, it } from 'vitest';
import { askScene, everyText, questionTypes, reportScene, shortAnswers } from '../../demo/questions.ts';
import { drawScene } from '../../demo/scenes.ts';
import { stream } from '../../src/random.ts';

const scenes = Array.from({ length: 120 }, (_, n) => drawScene(9, n).facts);

describe('questions', () => {
  it('asks the same of the same scene, with the same short facts in both styles', () => {
    for (const [n, facts] of scenes.entries()) {
      const short = askScene(facts, 'short', stream(1, n));
      expect(askScene(facts, 'short', stream(1, n))).toEqual(short);
      for (const { type, answer } of short) expect(answer).toBe(shortAnswers(facts)[type]);
    }
  });

  it('asks place, colour and size only where one polyp is alone', () => {
    for (const facts of scenes) {
      const types = askScene(facts, 'short', stream(2)).map((qa) => qa.type);
      const one = facts.polyps.length === 1;
      for (const type of ['place', 'colour', 'size'] as const) expect(types.includes(type)).toBe(one);
    }
  });

  it('answers long in sentences that hold the fact', () => {
    const words = ['no ', 'one ', 'two ', 'three '];
    for (const [n, facts] of scenes.entries())
      for (const { type, answer } of askScene(facts, 'long', stream(3, n))) {
        expect(answer).toMatch(/^[A-Z].*\.$/);
        const short = shortAnswers(facts)[type]!;
        if (type === 'count') expect(answer.toLowerCase()).toContain(words[Number(short)]);
        else if (short === 'yes') expect(answer).not.toMatch(/\bno\b|not/i);
        else if (short === 'no') expect(answer).toMatch(/\bno\b|not/i);
        else expect(answer).toContain(short);
      }
  });

  it('reports every polyp at its place, and the instrument', () => {
    for (const facts of scenes) {
      const { answer } = reportScene(facts);
      expect(answer.match(/no polyp\./g) ?? []).toHaveLength(5 - facts.polyps.length);
      for (const { place, colour, size } of facts.polyps)
        expect(answer.toLowerCase()).toContain(`${place}: a ${colour} polyp of ${size}.`);
      expect(answer.endsWith(facts.instrument ? 'Instrument: yes.' : 'Instrument: no.')).toBe(true);
    }
  });

  it('lists every text that can be asked or answered', () => {
    const texts = new Set(everyText());
    for (const [n, facts] of scenes.entries())
      for (const style of ['short', 'long'] as const)
        for (const { question, answer } of askScene(facts, style, stream(4, n))) {
          expect(texts.has(question)).toBe(true);
          expect(texts.has(answer)).toBe(true);
        }
  });

  it('has no question that belongs to two types', () => {
    const seen = new Map<string, string>();
    for (let n = 0; n < 200; n++)
      for (const { type, question } of askScene(scenes[n % scenes.length], 'short', stream(5, n))) {
        expect(seen.get(question) ?? type).toBe(type);
        seen.set(question, type);
      }
    expect(new Set(seen.values())).toEqual(new Set(questionTypes));
  });
});
