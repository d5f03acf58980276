/** Label rules of other recipes, to be seen beside ours. */
import type { Encoded } from '../data/example.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import { LorikeetError } from '../errors.ts';
import type { Encoder } from '../train/encoder.ts';

/** Which tokens of a row a rule trains. */
export interface RowLabels {
  /** [T] 1 where trained. The first token is never: nothing predicts it. */
  trained: Uint8Array;
  /** Padding that the rule's own batch puts around the row. */
  padding: { tokens: number; trained: number };
}

export interface LabelRule {
  /** As it was asked for. */
  name: string;
  /** What it does, in the words of the code that it stands for. */
  note: string;
  /** Nothing where the rule does not know the row. */
  labelsOf(encoded: Encoded): RowLabels | undefined;
}

export const ruleNames = ['all', 'notImage', 'notPadding'] as const;
export type RuleName = (typeof ruleNames)[number];

export const isRuleName = (name: string): name is RuleName => (ruleNames as readonly string[]).includes(name);

/** The token that a collator fills batches with, where the tokenizer names one. */
export function paddingOf({
  padToken,
  specialTokens,
}: Pick<ChatTokenizer, 'padToken' | 'specialTokens'>): { id: number; text: string } | undefined {
  const id = padToken === undefined ? undefined : specialTokens.get(padToken);
  return padToken === undefined || id === undefined ? undefined : { id, text: padToken };
}

/** The rules that need no file. */
export function createRule(
  name: RuleName,
  { imageTokenId, tokenizer }: Pick<Encoder, 'imageTokenId' | 'tokenizer'>,
): LabelRule {
  const padding = paddingOf(tokenizer);
  if (name === 'all') return byId(name, 'labels = input_ids.clone()', () => true);
  if (name === 'notImage') {
    const note =
      'labels = input_ids.clone(), and -100 at every <|image_pad|>; <|vision_start|> and <|vision_end|> stay labels';
    return byId(name, note, (id) => id !== imageTokenId);
  }
  if (!padding)
    return byId(name, 'labels = input_ids.clone(); the tokenizer names no padding token', () => true);
  const note = `labels = input_ids.clone(), and -100 at every ${padding.text}, the tokenizer's padding token`;
  return byId(name, note, (id) => id !== padding.id);
}

function byId(name: RuleName, note: string, trains: (id: number) => boolean): LabelRule {
  return {
    name,
    note,
    labelsOf: ({ ids }) => ({
      trained: Uint8Array.from(ids, (id, t) => Number(t > 0 && trains(id))),
      padding: { tokens: 0, trained: 0 },
    }),
  };
}

/** Names the rules where one was meant and mistyped: `All`, `not-image`. */
export function checkRule(labels: string): void {
  if (/\.json$/i.test(labels) || isRuleName(labels)) return;
  throw new LorikeetError('config', {
    what: `labels expected ${ruleNames.join(', ')} or a .json file, got ${JSON.stringify(labels)}`,
    fix: 'A file holds input_ids and labels as your own collator makes them; docs/inspect.md shows how to write it.',
  });
}
