/** What a model answers in the middle of its training, asked and scored as `lorikeet evaluate` does it. */
import { setImmediate } from 'node:timers/promises';
import { Engine } from '../generate/engine.ts';
import { TrainedModel } from '../generate/trained-model.ts';
import { type Answered, type BlindGuess, blindGuesser } from '../metrics/floor.ts';
import type { OpenModel } from '../train/compile.ts';
import { createEncoder } from '../train/encoder.ts';
import type { GivenAnswers } from '../train/events.ts';
import type { Plan, SplitPlan } from '../train/plan.ts';
import type { OpenAnswers } from '../train/run.ts';
import { startScoringClock } from '../train/scoring-clock.ts';
import { type AskingOptions, defaultMaxAnswerTokens, likeliestAnswers } from './asking.ts';
import { type Judged, meanOf } from './estimates.ts';
import { type Examination, type ExaminationInput, examine, newExamination } from './examination.ts';
import { answered, judgedRows } from './judged-rows.ts';
import { type AskedRow, answersIn, askedRow, pictureSets } from './questions.ts';

type AskedModel = Pick<OpenModel, 'definition' | 'trainables' | 'threads' | 'vision'>;

/** Opens the rows of the plan for a model that goes on being trained: each call asks it as it then is. */
export async function openTrainingAnswers(
  { definition, trainables, threads, vision }: AskedModel,
  plan: Plan,
  stopped: () => boolean,
): Promise<OpenAnswers> {
  const { dataset } = plan.validation!;
  const sets = pictureSets(await asked(plan.validation!, plan.answerRows));
  const guess = await guessFrom(plan.train);
  const encoder = await createEncoder({ ...plan.encoder, maxLength: Number.MAX_SAFE_INTEGER });
  const trained = new TrainedModel(definition, trainables, threads, vision?.embedder);
  const engine = await Engine.around(trained, encoder);
  const options: AskingOptions = { maxNewTokens: defaultMaxAnswerTokens, stopped };
  const input: ExaminationInput = {
    examinee: { answers: (prompts) => likeliestAnswers(engine, prompts, options), find: trained.find },
    dataset,
    encoder,
    sets,
    guests: new Map(),
    isStrict: plan.config.data.onBadRow === 'stop',
    rowsTogether: 1,
    stopped,
  };
  const score = (own: Examination, seconds: number) =>
    scored(judgedRows({ dataset, guess, sets, own }), plan.settings.seed, seconds);
  return {
    rows: plan.answerRows,
    answer: (step) => answer(step, input, score),
    close: () => trained.close(),
  };
}

async function* answer(
  step: number,
  input: ExaminationInput,
  score: (own: Examination, seconds: number) => GivenAnswers | undefined,
): ReturnType<OpenAnswers['answer']> {
  const begun = performance.now();
  const tick = startScoringClock({ step, part: 'answers', totalRows: answersIn(input.sets) });
  const own = newExamination();
  const passing = examine(input, own);
  let next = await passing.next();
  for (; !next.done; next = await passing.next()) {
    // A row that is lost now was lost to the losses before, and is told by them.
    const event = 'done' in next.value ? tick(next.value.done) : undefined;
    if (event) yield event;
  }
  return next.value ? { answers: score(own, (performance.now() - begun) / 1000) } : undefined;
}

function scored(rows: readonly Judged[], seed: number, seconds: number): GivenAnswers | undefined {
  if (rows.length === 0) return undefined;
  const exact = meanOf(rows, seed, (prediction) => prediction.exact);
  const { low, high } = exact;
  return {
    rows: new Set(rows.map(({ prediction }) => prediction.row)).size,
    answers: rows.length,
    exactMatch: exact.value,
    interval: low === null || high === null ? null : { low, high },
    f1: meanOf(rows, seed, ({ f1 }) => f1).value,
    floor: meanOf(rows, seed, ({ floor }) => floor.exact).value,
    cut: rows.filter(({ prediction }) => prediction.finish === 'length').length,
    seconds,
  };
}

async function asked({ dataset, survey }: SplitPlan, indices: readonly number[]): Promise<AskedRow[]> {
  const rows: AskedRow[] = [];
  for (const index of indices) rows.push(askedRow(await dataset.example(survey.rows[index])));
  return rows;
}

/** Rows between two turns of the event loop. */
const breath = 256;

/** Of every training row its words alone are kept, not the pictures that a parquet file has in it. */
async function guessFrom({ dataset, survey }: SplitPlan): Promise<BlindGuess> {
  const words: Answered[] = [];
  for (const [i, row] of survey.rows.entries()) {
    if (i % breath === breath - 1) await setImmediate();
    words.push(...answered(askedRow(await dataset.example(row))));
  }
  return blindGuesser(words);
}
