import type { Config } from '../config/schema.ts';
import { number, percent } from '../words.ts';
import type { Decision, NoticeEvent } from './events.ts';
import type { Sharing } from './sharing.ts';

/** What is computed once, and how many pictures each step is left with. */
export function describeSharing({ pack, train }: Config, sharing: Sharing): Decision[] {
  if (sharing.picturesPerStep === 0) return [tokensComputed(sharing)];
  return [
    {
      what: 'pictures a step',
      value: Number(sharing.picturesPerStep.toFixed(1)),
      reason: `distinct ones, the mean over all steps of ${train.gradientAccumulation} rows; ${whyTogether({ pack, train })}`,
    },
    tokensComputed(sharing),
  ];
}

function whyTogether({ pack, train }: Pick<Config, 'pack' | 'train'>): string {
  if (!train.shuffle) return "rows come in the file's order";
  if (pack.order === 'groups')
    return `up to ${pack.maxBranches} rows about the same pictures stay together (pack.maxBranches)`;
  return 'every row is shuffled by itself';
}

function tokensComputed({ tokens, rowTokens }: Sharing): Decision {
  const reason =
    tokens === rowTokens
      ? 'rows of a step share no beginning, or may not (pack.shareImages): each is computed whole'
      : `what rows of a step share is computed once: ${percent(1 - tokens / rowTokens)} less than the ${number(rowTokens)} of separate samples, with the same gradients`;
  return { what: 'tokens computed', value: tokens, reason };
}

/** Masks are drawn for rows of the graph, and a shared row is one. */
export function dropoutNotice(dropout: number, { tokens, rowTokens }: Sharing): NoticeEvent[] {
  if (dropout === 0 || tokens === rowTokens) return [];
  const text =
    `lora.dropout ${dropout} acts once on what the rows of a pack share, not anew for each of them. ` +
    'pack.shareImages: false gives every row a mask of its own, at its full price.';
  return [{ type: 'notice', text }];
}
