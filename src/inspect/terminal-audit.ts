/** Another label rule beside ours, in words and a table. */
import { type TokenKind, tokenKinds } from '../data/example.ts';
import { count, number, percent } from '../words.ts';
import type { Unmatched } from './open-dump.ts';
import type { RowWouldBe } from './row.ts';
import { visible } from './visible.ts';

const parties: Record<TokenKind, string> = {
  system: 'the system text takes',
  user: 'the question takes',
  header: 'the role headers take',
  image: 'the image takes',
  padding: 'padding takes',
  answer: 'the answer takes',
  end: "the answer's end takes",
};

/** What stands below a row; null where the rule does not know the row. */
export function auditLines(wouldBe: RowWouldBe | null): string[] {
  if (wouldBe === null) return ['The labels file has no sequence that is this row.'];
  return [auditSentence(wouldBe), ...auditTable(wouldBe)];
}

/** `Under "all", 288 tokens are trained; 3 of them are the answer and its end; the image takes 91.0 % of the loss.` */
export function auditSentence({ rule, labelTokens, loss, byReason }: RowWouldBe): string {
  const answer = (byReason.answer?.wouldBeTrained ?? 0) + (byReason.end?.wouldBeTrained ?? 0);
  const [most] = tokenKinds
    .filter((kind) => kind !== 'answer' && kind !== 'end' && (byReason[kind]?.share ?? 0) > 0)
    .sort((a, b) => byReason[b]!.share! - byReason[a]!.share!);
  const share = most ? `; ${parties[most]} ${percent(byReason[most]!.share!)} of the loss` : '';
  const mean = loss === null ? '' : ` That loss would be ${loss.toFixed(4)}.`;
  return (
    `Under ${JSON.stringify(rule)}, ${count(labelTokens, 'token is', 'tokens are')} trained; ` +
    `${number(answer)} of them ${answer === 1 ? 'is' : 'are'} the answer and its end${share}.${mean}`
  );
}

function auditTable({ byReason }: RowWouldBe): string[] {
  const kinds = tokenKinds.filter((kind) => byReason[kind]);
  const rows = kinds.map((kind) => {
    const { tokens, trained, wouldBeTrained, share } = byReason[kind]!;
    const part = share === null ? (wouldBeTrained > 0 ? 'not known' : '-') : percent(share);
    return [kind, number(tokens), number(trained), number(wouldBeTrained), part];
  });
  const head = ['reason', 'tokens', 'trained', 'would be', 'share of its loss'];
  const widths = head.map((_, c) => Math.max(...[head, ...rows].map((cells) => cells[c].length)));
  return [head, ...rows].map(
    (cells) =>
      `  ${cells.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ')}`,
  );
}

/** A sequence that is no row of ours is a finding: the two sides would not train the same text. */
export function unmatchedLine({ sequence, nearestRow, position, ours, theirs }: Unmatched): string {
  const side = (token: Unmatched['ours']) =>
    token === null ? 'nothing, it has ended' : `${token.id} ${JSON.stringify(visible(token.text))}`;
  return (
    `Sequence ${sequence} is no row as Lorikeet tokenises it. The nearest is row ${nearestRow}; ` +
    `they differ first at token ${position}: ours ${side(ours)}, theirs ${side(theirs)}.`
  );
}
