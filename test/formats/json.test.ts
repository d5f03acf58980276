import { describe, expect, it } from 'vitest';
import { holdsMoreValues, parseJson } from '../../src/formats/json.ts';

describe('holdsMoreValues', () => {
  const holds = (text: string, most: number) => holdsMoreValues(Buffer.from(text), most);

  it('counts what opens and parts values, and nothing inside of strings', () => {
    // 7: two lists, an object, four commas.
    const text = '[1,[2,3],{"a,[":"\\",{[","b":4}]';
    expect([6, 7].map((most) => holds(text, most))).toEqual([true, false]);
    expect(holds(`["${',[{'.repeat(1000)}"]`, 2)).toBe(false);
    expect(holds('[],'.repeat(1000), 1999)).toBe(true);
    expect(holds('[],'.repeat(1000), 2000)).toBe(false);
  });
});

describe('parseJson', () => {
  it.each([
    '{}',
    '[]',
    ' { "a" : [1, -2.5e3, true, false, null, "x\\n\\u00e9\\"\\\\"] , "b":{"c":{}} } ',
    '"text"',
    '0',
  ])('agrees with JSON.parse on %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    '{',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '[1,]',
    '01',
    '1 2',
    'NaN',
    '"a\nb"',
    '"\\x"',
    "{'a':1}",
    '{"a":1',
  ])('refuses %j as JSON.parse does', (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });

  it('refuses what JSON.parse lets pass silently', () => {
    expect(() => parseJson('{"a":1,"a":2}')).toThrow('the key "a" stands twice');
    expect(() => parseJson('{"\\u005f_proto__":{"x":1}}')).toThrow('"__proto__" is not allowed');
    expect(() => parseJson('['.repeat(100_000))).toThrow('nested deeper than 64');
    expect(() => parseJson(`[${'0,'.repeat(4_000_001)}0]`)).toThrow('more than 4000000 values');
  });

  it('gives objects that inherit nothing, and takes long strings', () => {
    expect((parseJson('{}') as object & { constructor?: unknown }).constructor).toBeUndefined();
    expect(parseJson(`"${'x'.repeat(5_000_000)}"`)).toHaveLength(5_000_000);
    expect(parseJson(`"${'\\n'.repeat(300_000)}"`)).toHaveLength(300_000);
  });
});
