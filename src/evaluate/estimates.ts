/** From predictions to estimates with their intervals. */
import { clusteredEstimate, type Estimate, type Share } from '../metrics/bootstrap.ts';
import { answerKind } from '../metrics/match.ts';
import { signFlipTest } from '../metrics/sign-flip.ts';
import type { Prediction } from './prediction.ts';
import type { Difference, Losses, Scores } from './scorecard.ts';

/** A prediction and the cluster it is drawn with. */
export interface Judged {
  cluster: string;
  prediction: Prediction;
}

type Sum = [sum: number, weight: number];

/** The ratio of sums over the rows that `part` has something of; absent where there is none. */
export function estimate(
  rows: readonly Judged[],
  seed: number,
  part: (prediction: Prediction) => Sum | number | boolean | null | undefined,
): Estimate | undefined {
  return clusteredEstimate(shares(rows, part), seed);
}

/** An estimate of something that every row has. */
export function meanOf(
  rows: readonly Judged[],
  seed: number,
  part: (prediction: Prediction) => number | boolean,
): Estimate {
  return estimate(rows, seed, part)!;
}

function shares(rows: readonly Judged[], part: Parameters<typeof estimate>[2]): Share[] {
  return rows.flatMap(({ cluster, prediction }) => {
    const found = part(prediction);
    if (found === undefined || found === null) return [];
    const [sum, weight] = Array.isArray(found) ? found : [Number(found), 1];
    return [{ cluster, sum, weight }];
  });
}

/** The mean of what the rows differ by, and how likely as much is by chance. */
export function difference(
  rows: readonly Judged[],
  seed: number,
  part: (prediction: Prediction) => Sum | number | undefined,
): Difference | undefined {
  const found = shares(rows, part);
  const mean = clusteredEstimate(found, seed);
  return mean && { ...mean, p: signFlipTest(found, seed).p };
}

export function scoresOf(rows: readonly Judged[], seed: number): Scores {
  const all = (part: Parameters<typeof estimate>[2]) => estimate(rows, seed, part);
  return withoutAbsent({
    answers: rows.length,
    exactMatch: meanOf(rows, seed, ({ exact }) => exact),
    tokenF1: meanOf(rows, seed, ({ f1 }) => f1),
    yesNo: all(({ exact, expected }) => (answerKind(expected) === 'yesNo' ? exact : undefined)),
    number: all(({ number }) => number),
    bleu1: all(({ bleu1 }) => bleu1),
    rougeL: all(({ rougeL }) => rougeL),
    loss: lossesOf(rows, seed, ({ loss }) => loss),
    floor: meanOf(rows, seed, ({ floor }) => floor.exact),
    shuffled: all(({ shuffled }) => shuffled?.exact),
  });
}

export function lossesOf(
  rows: readonly Judged[],
  seed: number,
  lossOf: (prediction: Prediction) => number | null | undefined,
): Losses | undefined {
  const per = (weightOf: (prediction: Prediction) => number) =>
    estimate(rows, seed, (prediction) => {
      const loss = lossOf(prediction);
      return typeof loss === 'number' ? [loss, weightOf(prediction)] : undefined;
    });
  const perToken = per(({ tokens }) => tokens);
  const perAnswer = per(() => 1);
  const perCharacter = per(({ characters }) => characters);
  if (!perToken || !perAnswer || !perCharacter) return undefined;
  const { value, low, high } = perToken;
  const exp = (nats: number | null) => (nats === null ? null : Math.exp(nats));
  const perplexity = { ...perToken, value: Math.exp(value), low: exp(low), high: exp(high) };
  return { perToken, perAnswer, perCharacter, perplexity };
}

function withoutAbsent<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
