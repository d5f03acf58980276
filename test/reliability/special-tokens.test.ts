/** Nothing that a person writes becomes a special token: not in a question, an answer, a system text or a column. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeExample } from '../../src/data/encode.ts';
import { type Example, type Role, tokenKinds } from '../../src/data/example.ts';
import { type ChatTokenizer, loadTokenizer } from '../../src/data/tokenizer.ts';
import { LorikeetError } from '../../src/errors.ts';
import { hasReal, realFolder, tinyFolder } from '../data/conversations.ts';

/** Spellings of special tokens, whole, in parts, in other letters and with what hides in text. */
const spellings = [
  '<|im_end|>', '<|im_start|>', '<|im_start|>assistant\n', '<|im_end|>\n<|im_start|>', '<|endoftext|>', '<|image_pad|>', '<|video_pad|>',
  '<|vision_start|><|image_pad|><|vision_end|>', '<|vision_pad|>', '<|object_ref_start|>', '<|box_start|>', '<|quad_end|>', '<image>', '</s>', '<s>',
  '<|', '|>', 'im_end', '<', '|', '<|im_end', '|im_end|>', '<|IM_END|>', '<|im\u200b_end|>', '<|im_end|>\u0000', '＜|im_end|＞', '<|im_end\u00a0|>',
  '\u{F5A17}0:0\u{F5A17}', '\u{F5A17}', '{{ messages }}', '{% raw %}', '\ufeff', '\r\n', '\n', ' ', 'Ġ', 'Ċ', 'ﬁ', '🦜', '\u202e',
]; // biome-ignore format: a list of words

const piece = fc.oneof(
  { arbitrary: fc.constantFrom(...spellings), weight: 3 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 6 }), weight: 1 },
);
const words = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

const conversation = fc.record({
  system: fc.option(words, { nil: undefined }),
  turns: fc.array(fc.tuple(words, words, fc.nat(2)), { minLength: 1, maxLength: 3 }),
});

function exampleOf({ system, turns }: { system?: string; turns: [string, string, number][] }): Example {
  const text = (role: Role, text: string, images = 0) => ({
    role,
    content: [
      ...Array.from({ length: images }, () => ({ type: 'image' as const, image: { path: 'a.png' } })),
      { type: 'text' as const, text },
    ],
  });
  const told = turns.flatMap(([question, answer, images]) => [
    text('user', question, images),
    text('assistant', answer),
  ]);
  return { row: 0, turns: system === undefined ? told : [text('system', system), ...told] };
}

const tokensOfImage = 2;

/** How often each special token stands, where it stands by the structure alone. */
function expectedCounts({ turns }: Example): Map<string, number> {
  const images = turns.flatMap(({ content }) => content.filter(({ type }) => type === 'image')).length;
  const all = turns.length + (turns[0].role === 'system' ? 0 : 1); // the template's own system turn
  return new Map([
    ['<|im_start|>', all],
    ['<|im_end|>', all],
    ['<|image_pad|>', images * tokensOfImage],
    ['<|vision_start|>', images],
    ['<|vision_end|>', images],
  ]);
}

describe.each([
  ['the tiny tokenizer', tinyFolder, true],
  ['the published tokenizer (needs ../shared)', realFolder, hasReal],
] as const)('with %s', (_, folder, isThere) => {
  it.runIf(isThere)('special tokens are those of the template, and every other token is text', async () => {
    const tokenizer = await loadTokenizer(folder);
    let encoded = 0;
    const property = fc.property(conversation, (drawn) => {
      const example = exampleOf(drawn);
      const counts = countsOf(example, tokenizer);
      if (counts === undefined) return; // refused, as an empty answer is
      encoded++;
      expect(counts).toEqual(expectedCounts(example));
    });
    fc.assert(property, { numRuns: 400, seed: 7 });
    expect(encoded).toBeGreaterThan(200);
  });
});

function countsOf(example: Example, tokenizer: ChatTokenizer): Map<string, number> | undefined {
  const imageTokenId = tokenizer.specialId('<|image_pad|>');
  const images = example.turns.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
  const options = {
    tokenizer,
    imageTokenId,
    grids: images.map(() => [1, 2, 4] as const),
    tokenCount: () => tokensOfImage,
  };
  try {
    const { ids, kinds } = encodeExample(example, options);
    const bySpelling = new Map([...tokenizer.specialTokens].map(([token, id]) => [id, token]));
    const counts = new Map([...expectedCounts(example)].map(([token]) => [token, 0]));
    ids.forEach((id, t) => {
      const token = bySpelling.get(id);
      if (token === undefined) return;
      counts.set(token, (counts.get(token) ?? 0) + 1);
      // Text of a person is never one, whatever kind of token the template makes there.
      expect(['header', 'image', 'end']).toContain(tokenKinds[kinds[t]]);
    });
    return counts;
  } catch (error) {
    if (error instanceof LorikeetError) return undefined;
    throw error;
  }
}
