/**
 * The demo: teaches the tiny base of demo/base, which answers in long sentences, to answer briefly, with LoRA and the
 * very command that users run; then holds the answers against the blind floor and against shuffled pictures.
 *
 *     npm run demo
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine } from '../src/generate/engine.ts';
import type { AnswerRequest } from '../src/generate/request.ts';
import { type FlatRow, makeData } from './make-data.ts';
import { accuracy, floor, shufflePictures } from './score.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..');
const base = join(here, 'base');
const work = join(root, 'runs', 'demo');
const data = join(work, 'data');
const run = join(work, 'run');
const shown = (path: string) => relative(process.cwd(), path);

const maxNewTokens = 24;

/** Held-out questions about their pictures, and the same with each picture swapped for another scene's. */
interface HeldOut {
  rows: FlatRow[];
  questions: AnswerRequest[];
  shuffled: AnswerRequest[];
}

function heldOutQuestions(rows: FlatRow[]): HeldOut {
  const swapped = shufflePictures(
    rows.map(({ group }) => group),
    7,
  );
  const about = ({ question }: FlatRow, { image }: FlatRow) => ({
    question,
    image: join(data, image),
    maxNewTokens,
  });
  return {
    rows,
    questions: rows.map((row) => about(row, row)),
    shuffled: rows.map((row, i) => about(row, rows[swapped[i]])),
  };
}

/** The likeliest answers, with what the model learned in `adapter`, or as the base. */
async function answers(questions: readonly AnswerRequest[], label: string, adapter?: string) {
  const engine = await Engine.open({ model: base, adapter });
  const begun = performance.now();
  const answered = await engine.answer(questions);
  await engine.close();
  const seconds = (performance.now() - begun) / 1000;
  console.log(`${label}: ${questions.length} answers in ${seconds.toFixed(1)} s`);
  return answered.map(({ text }) => text);
}

function trainByCommand(): void {
  const config = join(work, 'demo.yaml');
  writeFileSync(config, readFileSync(join(here, 'demo.yaml'), 'utf8'));
  console.log(`\n$ lorikeet train ${shown(config)} --overwrite\n`);
  const main = join(root, 'dist', 'cli', 'main.js');
  const { status } = spawnSync(process.execPath, [main, 'train', config, '--overwrite'], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(7);

function showScores(
  { rows }: HeldOut,
  training: FlatRow[],
  before: string[],
  after: string[],
  blind: string[],
) {
  const expected = rows.map(({ answer }) => answer);
  console.log(`\nExact match on ${rows.length} questions about pictures that were not trained on`);
  console.log(`  before training, the base            ${percent(accuracy(before, expected))}`);
  console.log(`  after training                       ${percent(accuracy(after, expected))}`);
  console.log(`  floor: commonest training answer     ${percent(floor(training, rows))}`);
  console.log(`  after training, pictures shuffled    ${percent(accuracy(blind, expected))}`);
}

/** One held-out question of each type, before and after. */
function showAnswers({ rows }: HeldOut, before: string[], after: string[]) {
  const seen = new Set<string>();
  console.log('\nSome answers');
  rows.forEach((row, i) => {
    if (seen.has(row.question_type)) return;
    seen.add(row.question_type);
    console.log(`  ${row.image}: ${row.question}`);
    console.log(`    before  ${before[i]}\n    after   ${after[i]}\n    truth   ${row.answer}`);
  });
}

console.log('Drawing scenes and questions from a seed ...');
const rows = await makeData(data, { train: 400, validation: 80, style: 'short' });
console.log(
  `${rows.train.length} training and ${rows.validation.length} held-out questions in ${shown(data)}\n`,
);
const heldOut = heldOutQuestions(rows.validation);
const before = await answers(heldOut.questions, 'Asking the base');
trainByCommand();
const adapter = join(run, 'best');
const after = await answers(heldOut.questions, '\nAsking again', adapter);
const blind = await answers(heldOut.shuffled, 'Asking with shuffled pictures', adapter);
showScores(heldOut, rows.train, before, after, blind);
showAnswers(heldOut, before, after);
console.log(`\nThe run: ${shown(run)} (run.json, metrics.jsonl, adapter/, best/)`);
