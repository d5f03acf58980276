/** The example that docs/loss.md and its figure work through: its tokens, its probabilities and what follows from them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLabel, type TokenKind, tokenKinds } from '../../src/data/example.ts';
import { crossEntropy } from '../../src/loss.ts';
import { type ScoredRow, scoresOf } from '../../src/train/score.ts';
import { said } from './numbers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const read = (file: string) => readFileSync(join(root, file), 'utf8');

// Numbers as the document writes them.
export const two = (value: number) => value.toFixed(2);
export const whole = (value: number) => value.toLocaleString('en-US');
export const percent = (value: number, digits = 0) => `${(100 * value).toFixed(digits)} %`;
export const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]) => sum(values) / values.length;

/** Loss of a token whose probability is p, and all others together the rest. */
export const lossOf = (p: number) => crossEntropy([[Math.log(p), Math.log1p(-p)]], [0]).loss;

interface Conversation {
  answer: string;
  ids: number[];
  texts: string[];
  kinds: TokenKind[];
}
/** From transformers' tokenizer: reference/make_loss_example.py. */
export const { question, examples } = JSON.parse(read('test/fixtures/loss/worked-example.json')) as {
  question: string;
  examples: Record<'sentence' | 'word', Conversation>;
};
export const { sentence, word } = examples;
export const isTrained = (kind: TokenKind) => isLabel(tokenKinds.indexOf(kind));
export const count = ({ kinds }: Conversation, kind: TokenKind) =>
  kinds.filter((other) => other === kind).length;
export const labels = sentence.kinds.flatMap((kind, t) => (isTrained(kind) ? [t] : []));
export const shown = (text: string) => text.replace(/^ /, '·').replace(/\n/g, '⏎').replaceAll('|', '\\|');
export const code = (text: string) => `\`${shown(text)}\``;

// What the document chooses: the logits that `Yes` is picked from, and the probability of each label after it.
export const logits = { No: 2, There: 1, Yes: 0 };
const later = [0.97, 0.28, 0.9, 0.8, 0.25, 0.99, 0.02, 0.6, 0.95, 0.999];
const impossible = Number.NEGATIVE_INFINITY;
const rows = [
  [logits.Yes, logits.No, logits.There],
  ...later.map((p) => [Math.log(p), Math.log1p(-p), impossible]),
];
export const row = crossEntropy(rows, new Int32Array(rows.length));
export const losses = [...row.perToken];
export const probabilities = [two(Math.exp(-losses[0])), ...later.map(String)];
export const answers = losses.slice(0, count(sentence, 'answer'));
export const ends = losses.slice(answers.length);
export const lossAt = (text: string) => losses[labels.findIndex((t) => sentence.texts[t] === text)];
export const arithmetic = said`Loss = (${losses.map(two).join(' + ')}) / ${row.count}`;
export const quotient = said`${two(sum(losses))} / ${row.count} = ${two(row.loss)}`;

/** Label tokens as an evaluation sees them: what it reports of them is what the document says. */
export interface Scored {
  loss: number;
  hit?: boolean;
  top?: number;
  kind?: 'answer' | 'end';
}
export const evaluated = (...rows: Scored[][]) => scoresOf(rows.map(scoredRow));

function scoredRow(tokens: Scored[], row: number): ScoredRow {
  return {
    split: 'validation',
    row,
    images: [],
    ids: Int32Array.from(tokens, () => 0),
    positions: Int32Array.from(tokens, (_, n) => n + 1),
    kinds: Uint8Array.from(tokens, ({ kind = 'answer' }) => tokenKinds.indexOf(kind)),
    losses: Float32Array.from(tokens, ({ loss }) => loss),
    hits: Uint8Array.from(tokens, ({ hit = false }) => Number(hit)),
    top: Float32Array.from(tokens, ({ top = 0 }) => top),
  };
}

export const side = 448;
export const vocabulary = { '2B': 151_936, '7B': 152_064 };
export const uniform = (V: number) => crossEntropy(new Float32Array(V), [0]).loss;
export const frequency = { yes: 0.6, no: 0.4 };
export const chance = frequency.yes * lossOf(frequency.yes) + frequency.no * lossOf(frequency.no);
