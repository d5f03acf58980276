import type { RowScore, TokenScore } from '../train/row-scores.ts';

/** What one row cost. */
export interface RowLoss {
  score: RowScore;
  /** Mean over its label tokens, nats. */
  loss: number;
  /** Mean over its answers' content tokens; null where it has none. */
  answerLoss: number | null;
}

/** Rows of one question type together; every mean weighs tokens. */
export interface TypeLoss {
  type: string;
  rows: number;
  tokens: number;
  loss: number;
  answerLoss: number | null;
  /** Share of the turns whose every content token and `<|im_end|>` was the likeliest token. */
  exactMatch: number;
}

/** The rows with the highest loss, the worst first; of equals the earlier row. */
export function worstRows(rows: readonly RowScore[], count: number): RowLoss[] {
  return rows
    .filter(({ tokens }) => tokens.length > 0)
    .map((score) => ({ score, ...lossOf(score.tokens) }))
    .sort((a, b) => b.loss - a.loss || a.score.row - b.score.row)
    .slice(0, count);
}

/** A line for each question type, the commonest first; none where no row says its type. Hand it one split. */
export function lossByType(rows: readonly RowScore[]): TypeLoss[] {
  if (rows.every(({ type }) => type === undefined)) return [];
  const groups = new Map<string, RowScore[]>();
  for (const row of rows) {
    if (row.tokens.length === 0) continue;
    const type = row.type ?? withoutType;
    const group = groups.get(type);
    if (group) group.push(row);
    else groups.set(type, [row]);
  }
  return [...groups]
    .map(([type, group]) => figuresOf(type, group))
    .sort((a, b) => b.rows - a.rows || (a.type < b.type ? -1 : 1));
}

const withoutType = '(no type)';

function figuresOf(type: string, rows: RowScore[]): TypeLoss {
  const tokens = rows.flatMap((row) => row.tokens);
  const turns = rows.flatMap((row) => exactTurns(row.tokens));
  const exact = turns.filter(Boolean).length;
  return {
    type,
    rows: rows.length,
    tokens: tokens.length,
    ...lossOf(tokens),
    exactMatch: exact / turns.length,
  };
}

function lossOf(tokens: readonly TokenScore[]): { loss: number; answerLoss: number | null } {
  let sum = 0;
  let answerSum = 0;
  let answers = 0;
  for (const { loss, kind } of tokens) {
    sum += loss;
    if (kind !== 'answer') continue;
    answerSum += loss;
    answers++;
  }
  return { loss: sum / tokens.length, answerLoss: answers > 0 ? answerSum / answers : null };
}

/** Whether each turn was exact. A turn begins where an answer follows an end; only its first end token counts. */
function exactTurns(tokens: readonly TokenScore[]): boolean[] {
  const turns: boolean[] = [];
  tokens.forEach(({ kind, hit }, t) => {
    const before = tokens[t - 1]?.kind;
    if (before === undefined || (kind === 'answer' && before === 'end')) turns.push(true);
    if (kind === 'answer' || before !== 'end') turns[turns.length - 1] &&= hit;
  });
  return turns;
}
