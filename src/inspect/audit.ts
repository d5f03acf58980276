/** A row under another label rule, beside ours: which tokens it trains, and who takes the loss. */
import { type TokenKind, tokenKinds } from '../data/example.ts';
import type { RowLabels } from './label-rules.ts';
import type { InspectedToken, ReasonTally, RowWouldBe } from './row.ts';

/** Losses by place in the text; a place that nobody asked for has none. */
export type LossesByPlace = ReadonlyMap<number, number>;

export interface Audit {
  tokens: InspectedToken[];
  wouldBe: RowWouldBe;
}

/** @param losses of every token that the rule trains; nothing where the model has no weights. */
export function audit(
  tokens: readonly InspectedToken[],
  { trained, padding }: RowLabels,
  losses: LossesByPlace | undefined,
  rule: string,
): Audit {
  const tally: RowWouldBe['byReason'] = {};
  const known = losses !== undefined;
  const seen = tokens.map((token, t): InspectedToken => {
    const label = trained[t] === 1;
    const loss = label ? (losses?.get(t) ?? null) : null;
    add(tally, kindOf(token), known, { trained: token.label, wouldBeTrained: label, loss });
    return { ...token, wouldBe: { label, loss, probability: loss === null ? null : Math.exp(-loss) } };
  });
  if (padding.tokens > 0)
    tally.padding = {
      tokens: padding.tokens,
      trained: 0,
      wouldBeTrained: padding.trained,
      sum: padding.trained > 0 ? null : 0,
      share: null,
    };
  return { tokens: seen, wouldBe: summed(tally, rule, known) };
}

/** Why a token is or is not trained by us, in the words of `tokenKinds`. */
export const kindOf = (token: InspectedToken): TokenKind => (token.label ? token.part : token.reason);

function add(
  tally: RowWouldBe['byReason'],
  kind: TokenKind,
  known: boolean,
  token: { trained: boolean; wouldBeTrained: boolean; loss: number | null },
): void {
  tally[kind] ??= { tokens: 0, trained: 0, wouldBeTrained: 0, sum: known ? 0 : null, share: null };
  const found = tally[kind];
  found.tokens++;
  found.trained += Number(token.trained);
  found.wouldBeTrained += Number(token.wouldBeTrained);
  if (known) found.sum = (found.sum ?? 0) + (token.loss ?? 0);
}

function summed(tally: RowWouldBe['byReason'], rule: string, known: boolean): RowWouldBe {
  const kinds = tokenKinds.filter((kind) => tally[kind]);
  const scored = kinds.filter((kind) => kind !== 'padding').map((kind) => tally[kind]!);
  const sum = scored.reduce((total, { sum }) => total + (sum ?? 0), 0);
  const count = scored.reduce((total, { wouldBeTrained }) => total + wouldBeTrained, 0);
  const byReason = Object.fromEntries(
    kinds.map((kind): [TokenKind, ReasonTally] => {
      const found = tally[kind]!;
      return [kind, { ...found, share: found.sum === null || !known || sum === 0 ? null : found.sum / sum }];
    }),
  );
  return {
    rule,
    labelTokens: count + (tally.padding?.wouldBeTrained ?? 0),
    loss: known && count > 0 ? sum / count : null,
    byReason,
  };
}
