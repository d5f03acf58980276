/** From all predictions to the scorecard's figures. Pure. */
import { calibrationOfTokens } from '../train/calibration.ts';
import { difference, estimate, type Judged, lossesOf, meanOf, scoresOf } from './estimates.ts';
import type { Prediction } from './prediction.ts';
import type {
  AnswerCalibration,
  Comparison,
  FloorTest,
  ImageTest,
  Scorecard,
  ScoredModel,
  TypeScores,
} from './scorecard.ts';
import { comparisonVerdict, floorVerdict, imageVerdict, isAbove } from './verdicts.ts';

export type Figures = Pick<
  Scorecard,
  'overall' | 'types' | 'answerTypes' | 'calibration' | 'floor' | 'imageTest' | 'against' | 'cut'
>;

/** `other` is the model that the predictions have `against` of. Needs at least one prediction. */
export function judge(rows: readonly Judged[], seed: number, other?: ScoredModel): Figures {
  const imageTest = imageTestOf(rows, seed);
  return {
    overall: scoresOf(rows, seed),
    types: scoresByType(rows, seed, ({ type }) => type),
    answerTypes: scoresByType(rows, seed, ({ answerType }) => answerType),
    calibration: calibrationOf(rows),
    floor: floorOf(rows, seed),
    ...(imageTest && { imageTest }),
    ...(other && { against: compare(rows, seed, other) }),
    cut: rows.filter(({ prediction }) => prediction.finish === 'length').length,
  };
}

/** The largest type first. */
function scoresByType(
  rows: readonly Judged[],
  seed: number,
  typeOf: (prediction: Prediction) => string | undefined,
): TypeScores[] {
  const types = new Map<string, Judged[]>();
  for (const row of rows) {
    const type = typeOf(row.prediction);
    if (type !== undefined) types.set(type, [...(types.get(type) ?? []), row]);
  }
  const scores = [...types].map(([type, own]) => ({ type, ...scoresOf(own, seed) }));
  return scores.sort((a, b) => b.answers - a.answers);
}

/** As of label tokens, of whole answers. */
function calibrationOf(rows: readonly Judged[]): AnswerCalibration {
  const given = rows.map(({ prediction: { probability, exact } }) => ({ top: probability, hit: exact }));
  const { bins, error } = calibrationOfTokens(given)!;
  return {
    bins: bins.map(({ tokens, ...bin }) => ({ ...bin, answers: tokens })),
    error,
    answers: rows.length,
  };
}

function floorOf(rows: readonly Judged[], seed: number): FloorTest {
  const from = { question: 0, answerType: 0, all: 0 };
  for (const { prediction } of rows) from[prediction.floor.from]++;
  const gain = difference(rows, seed, ({ exact, floor }) => Number(exact) - Number(floor.exact))!;
  return {
    exactMatch: meanOf(rows, seed, ({ floor }) => floor.exact),
    gain,
    from,
    verdict: floorVerdict(gain),
  };
}

function imageTestOf(all: readonly Judged[], seed: number): ImageTest | undefined {
  const rows = all.filter(({ prediction }) => prediction.shuffled);
  if (rows.length === 0) return undefined;
  const drop = difference(rows, seed, ({ exact, shuffled }) => Number(exact) - Number(shuffled!.exact))!;
  const rightElsewhere = estimate(rows, seed, ({ shuffled }) => shuffled!.rightElsewhere);
  const dropF1 = difference(rows, seed, ({ f1, shuffled }) => f1 - shuffled!.f1)!;
  return {
    answers: rows.length,
    own: meanOf(rows, seed, ({ exact }) => exact),
    shuffled: meanOf(rows, seed, ({ shuffled }) => shuffled!.exact),
    drop,
    dropF1,
    ...(rightElsewhere && { rightElsewhere }),
    usesImage: isAbove(drop) || isAbove(dropF1),
    verdict: imageVerdict(drop, dropF1),
  };
}

function compare(rows: readonly Judged[], seed: number, model: ScoredModel): Comparison {
  const exactMatch = difference(rows, seed, ({ exact, against }) => Number(exact) - Number(against!.exact))!;
  const tokenF1 = difference(rows, seed, ({ f1, against }) => f1 - against!.f1)!;
  const perToken = difference(rows, seed, ({ loss, tokens, against }) =>
    loss === null || against!.loss === null ? undefined : [loss - against!.loss, tokens],
  );
  const loss = lossesOf(rows, seed, ({ against }) => against!.loss);
  const changed = rows
    .filter(({ prediction: { exact, against } }) => exact !== against!.exact)
    .map(({ prediction: { row, turn, question, expected, predicted, exact, against } }) => {
      return { row, turn, question, expected, predicted, against: against!.predicted, exact };
    });
  return {
    model,
    exactMatch: meanOf(rows, seed, ({ against }) => against!.exact),
    tokenF1: meanOf(rows, seed, ({ against }) => against!.f1),
    ...(loss && { loss }),
    difference: { exactMatch, tokenF1, ...(perToken && { perToken }) },
    changed,
    verdict: comparisonVerdict(exactMatch),
  };
}
