import { type Encoded, type Example, isLabel } from '../data/example.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import { LorikeetError } from '../errors.ts';
import type { Encoder } from '../train/encoder.ts';

/**
 * The last look at the labels before a run: no picture's token and no one's words but the assistant's may be trained on. It
 * reads the tokens alone and does not trust the bookkeeping that made their kinds.
 *
 * @throws LorikeetError 'tokenizer', which no `onBadRow` passes over: only a template or a tokenizer can be its cause.
 */
export type GuardLabels = (example: Example, encoded: Encoded) => void;

export type GuardedEncoder = Pick<Encoder, 'tokenizer' | 'imageTokenId' | 'visionTokens'> & {
  processor: Pick<Encoder['processor'], 'tokenCount'>;
};

/** What one assistant turn must leave in the tokens. */
interface Answer {
  turn: number;
  ids: number[];
  /** Pictures of the turns before it. */
  images: number;
}

export function createLabelGuard(encoder: GuardedEncoder): GuardLabels {
  const guard = { ...encoder, openers: openingTokens(encoder.tokenizer) };
  return (example, encoded) => {
    const answers = answersOf(example, encoder.tokenizer);
    const wrong = labelRuns(encoded).flatMap((run, k) => troubleOf(run, answers[k], encoded, guard) ?? []);
    if (wrong.length > 0) throw refusal(encoder.tokenizer, example.row, wrong[0]);
  };
}

type Guard = GuardedEncoder & { openers: ReadonlySet<number> };

/** What is wrong with one run of labels, if anything is. */
function troubleOf(
  { from, to }: Run,
  answer: Answer | undefined,
  encoded: Encoded,
  guard: Guard,
): string | undefined {
  const { tokenizer, visionTokens, openers, imageTokenId, processor } = guard;
  const ids = encoded.ids.subarray(from, to);
  const vision = ids.find((id) => visionTokens.has(id));
  if (vision !== undefined) return `${tokenizer.decode([vision])}, a picture's token, would be trained on`;
  const opener = ids.find((id) => openers.has(id));
  if (opener !== undefined) {
    return `${tokenizer.decode([opener])}, which opens a turn, would be trained as the end of an answer`;
  }
  if (!answer) return `${shown(tokenizer, ids)} is no answer of this row and would be trained on`;
  const isCut = to === encoded.ids.length && Boolean(encoded.cut);
  if (!isAnswer(ids, answer.ids, isCut, tokenizer)) {
    return `turn ${answer.turn} expected its answer and what ends it, got ${shown(tokenizer, ids)}`;
  }
  // A picture that comes after the answer about it was not seen when the answer was said.
  const grids = encoded.grids.slice(0, answer.images);
  const expected = grids.reduce((sum, grid) => sum + processor.tokenCount(grid), 0);
  const before = encoded.ids.subarray(0, from).filter((id) => id === imageTokenId).length;
  if (before === expected) return undefined;
  return `the answer of turn ${answer.turn} expected ${expected} image tokens before it, got ${before}`;
}

function answersOf({ turns }: Example, tokenizer: ChatTokenizer): Answer[] {
  const answers: Answer[] = [];
  let images = 0;
  turns.forEach(({ role, content }, turn) => {
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
    if (role === 'assistant') answers.push({ turn, ids: tokenizer.encodeText(text), images });
    images += content.filter(({ type }) => type === 'image').length;
  });
  return answers;
}

interface Run {
  from: number;
  to: number;
}

function labelRuns({ ids, kinds }: Encoded): Run[] {
  const runs: Run[] = [];
  for (let t = 0; t < ids.length; t++) {
    if (!isLabel(kinds[t])) continue;
    const last = runs.at(-1);
    if (last?.to === t) last.to++;
    else runs.push({ from: t, to: t + 1 });
  }
  return runs;
}

/** The answer's own ids, white space, one special token, white space; less at the end where the row was cut. */
function isAnswer(ids: Int32Array, answer: number[], isCut: boolean, tokenizer: ChatTokenizer): boolean {
  if (answer.slice(0, ids.length).some((id, i) => ids[i] !== id)) return false;
  const rest = ids.subarray(answer.length);
  if (rest.length === 0) return isCut;
  const text = tokenizer.decode(rest);
  const words = tokenizer.decode(rest, { skipSpecial: true });
  const ends = tokenizer.splitSpecial(text).filter((piece) => typeof piece === 'number').length;
  return words.trim() === '' && (ends === 1 || (ends === 0 && isCut));
}

/** Marks that no template writes by itself. */
const asked = '\u{F5A17}asked';
const answered = '\u{F5A17}answered';

/**
 * The special tokens that begin a turn: those of the header that the template writes where it asks for an answer, or,
 * where it does not know how to ask, the last one before an answer, unless it also ends one.
 */
export function openingTokens({ template, splitSpecial }: ChatTokenizer): ReadonlySet<number> {
  const specialsOf = (text: string) => splitSpecial(text).filter((piece) => typeof piece === 'number');
  const question = { role: 'user', content: asked };
  try {
    const plain = template.render([question]);
    const prompted = template.render([question], { addGenerationPrompt: true });
    const header = prompted.startsWith(plain) ? specialsOf(prompted.slice(plain.length)) : [];
    if (header.length > 0) return new Set(header);
    const whole = template.render([question, { role: 'assistant', content: answered }]);
    const [before, after = ''] = whole.slice(whole.indexOf(asked) + asked.length).split(answered);
    const [end] = specialsOf(after);
    return new Set(
      specialsOf(before)
        .slice(-1)
        .filter((id) => id !== end),
    );
  } catch (error) {
    if (error instanceof LorikeetError) return new Set(); // a template for other conversations: each row is held to the rest
    throw error;
  }
}

function shown(tokenizer: ChatTokenizer, ids: Int32Array): string {
  const text = tokenizer.decode(ids);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}

function refusal({ template }: ChatTokenizer, row: number, what: string): LorikeetError {
  return new LorikeetError('tokenizer', {
    file: template.file,
    row,
    what: `labels expected only what the assistant says and the token that ends it: ${what}`,
    fix: 'Use the chat template and the tokenizer that were published with the checkpoint.',
  });
}
