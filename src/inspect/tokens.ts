/** From what a row was encoded to, and what its label tokens cost, to tokens that can be read. */
import { isLabel, tokenKinds } from '../data/example.ts';
import { tokenTexts } from '../data/token-texts.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import { mropePositions } from '../models/qwen2-vl/positions.ts';
import { labelPositions } from '../train/score.ts';
import type { Sample, TokenLoss } from '../train/step.ts';
import type { InspectedToken, MaskReason, TopToken } from './row.ts';

/** What tokens need to be read. */
export interface TokenReading {
  tokenizer: Pick<ChatTokenizer, 'decode'>;
  imageTokenId: number;
  mergeSize: number;
}

/** @param losses of the label tokens in the order of the text; none where the model has no weights. */
export function readTokens(
  { encoded }: Pick<Sample, 'encoded'>,
  losses: readonly TokenLoss[] | undefined,
  reading: TokenReading,
): InspectedToken[] {
  const { ids, kinds, grids } = encoded;
  const { indices } = mropePositions(ids, grids, reading);
  const texts = tokenTexts(reading.tokenizer, ids);
  const numbers = new Map(labelPositions(encoded).map((t, n) => [t, n]));
  return Array.from(ids, (id, t): InspectedToken => {
    const position = [0, 1, 2].map((axis) => indices[axis * ids.length + t]) as [number, number, number];
    const n = numbers.get(t);
    const token = { id, text: texts[t], position };
    if (n === undefined) return { ...token, label: false, reason: reasonOf(kinds[t]), loss: null };
    const found = losses?.[n];
    return {
      ...token,
      label: true,
      part: tokenKinds[kinds[t]] === 'answer' ? 'answer' : 'end',
      loss: found?.loss ?? null,
      probability: found ? Math.exp(-found.loss) : null,
      predictedFrom: t - 1,
      top: found?.top.map((each) => named(each, reading.tokenizer)) ?? [],
    };
  });
}

/** The first token of a text has nothing before it that could predict it, whatever it is: it stands as a header. */
function reasonOf(kind: number): MaskReason {
  return isLabel(kind) ? 'header' : (tokenKinds[kind] as MaskReason);
}

function named(
  { id, probability }: Omit<TopToken, 'text'>,
  tokenizer: Pick<ChatTokenizer, 'decode'>,
): TopToken {
  return { id, text: tokenizer.decode([id]), probability };
}
