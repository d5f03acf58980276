/**
 * Writes a data set of scenes: `images/*.png`, `train.jsonl` and `validation.jsonl`.
 *
 *     npx jiti demo/make-data.ts FOLDER [--train 400] [--validation 80] [--seed 42] [--style short|long] [--conversations]
 *
 * The same arguments give the same bytes. A scene stands on one side of the split only.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { stream } from '../src/random.ts';
import { SIDE } from './facts.ts';
import {
  type AnswerStyle,
  askScene,
  type Qa,
  type QuestionType,
  questionTypes,
  reportScene,
} from './questions.ts';
import { drawScene } from './scenes.ts';
import { floor } from './score.ts';

export const splits = ['train', 'validation'] as const;
export type Split = (typeof splits)[number];

export interface DataOptions {
  /** Number of scenes in each split. */
  train: number;
  validation: number;
  seed: number;
  style: AnswerStyle;
  /** For pre-training: two rows a scene, all its questions as turns of one, a report in the other. */
  conversations: boolean;
}

export interface FlatRow {
  image: string;
  question: string;
  answer: string;
  question_type: QuestionType;
  group: string;
}

export interface ConversationRow {
  messages: { role: 'user' | 'assistant'; content: object[] }[];
  images: string[];
  group: string;
}

interface DrawnScene {
  group: string;
  file: string;
  questions: Qa[];
  report: { question: string; answer: string };
  image: Uint8Array;
}

export const dataDefaults: DataOptions = {
  train: 400,
  validation: 80,
  seed: 42,
  style: 'short',
  conversations: false,
};

/** Draws scene `n` of a split with its questions. */
export function sceneOf(split: Split, n: number, { seed, style }: DataOptions): DrawnScene {
  const group = `${split}-${String(n).padStart(5, '0')}`;
  const { facts, image } = drawScene(seed, split, n);
  const questions = askScene(facts, style, stream(seed, split, n, 'questions'));
  return { group, file: `images/${group}.png`, questions, report: reportScene(facts), image };
}

export function flatRows({ group, file, questions }: DrawnScene): FlatRow[] {
  return questions.map(({ type, question, answer }) => ({
    image: file,
    question,
    answer,
    question_type: type,
    group,
  }));
}

/** The questions as one conversation (none where nothing is asked), then the report. */
export function conversationRows({ group, file, questions, report }: DrawnScene): ConversationRow[] {
  return [questions, [report]]
    .filter((asked) => asked.length > 0)
    .map((asked) => ({ messages: turnsOf(asked), images: [file], group }));
}

function turnsOf(asked: { question: string; answer: string }[]): ConversationRow['messages'] {
  return asked.flatMap(({ question, answer }, i) => [
    { role: 'user' as const, content: [...(i === 0 ? [{ type: 'image' }] : []), text(question)] },
    { role: 'assistant' as const, content: [text(answer)] },
  ]);
}

const text = (words: string) => ({ type: 'text', text: words });

/** Writes both splits under `folder` and returns the flat rows of each. */
export async function makeData(
  folder: string,
  options: Partial<DataOptions> = {},
): Promise<Record<Split, FlatRow[]>> {
  const all = { ...dataDefaults, ...options };
  mkdirSync(join(folder, 'images'), { recursive: true });
  const rows: Record<Split, FlatRow[]> = { train: [], validation: [] };
  for (const split of splits) {
    const lines: string[] = [];
    let writing: Promise<unknown>[] = [];
    for (let n = 0; n < all[split]; n++) {
      const scene = sceneOf(split, n, all);
      const flat = flatRows(scene);
      rows[split].push(...flat);
      for (const row of all.conversations ? conversationRows(scene) : flat) lines.push(JSON.stringify(row));
      writing.push(writePng(join(folder, scene.file), scene.image));
      // sharp encodes on other threads: a few pictures at a time keep them busy and memory low.
      if (writing.length === 16) {
        await Promise.all(writing);
        writing = [];
      }
    }
    await Promise.all(writing);
    writeFileSync(join(folder, `${split}.jsonl`), lines.map((line) => `${line}\n`).join(''));
  }
  return rows;
}

function writePng(file: string, image: Uint8Array): Promise<unknown> {
  return sharp(image, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png({ compressionLevel: 4 })
    .toFile(file);
}

const usage =
  'make-data FOLDER [--train N] [--validation N] [--seed N] [--style short|long] [--conversations]';

function readArguments(): { folder: string; options: DataOptions } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      train: { type: 'string', default: String(dataDefaults.train) },
      validation: { type: 'string', default: String(dataDefaults.validation) },
      seed: { type: 'string', default: String(dataDefaults.seed) },
      style: { type: 'string', default: dataDefaults.style },
      conversations: { type: 'boolean', default: false },
    },
  });
  const { style, conversations } = values;
  const [train, validation, seed] = [values.train, values.validation, values.seed].map(Number);
  const counts = [train, validation, seed].every((n) => Number.isInteger(n) && n >= 0);
  if (positionals.length !== 1 || !counts || (style !== 'short' && style !== 'long')) throw new Error(usage);
  return { folder: positionals[0], options: { train, validation, seed, style, conversations } };
}

async function main(): Promise<void> {
  const { folder, options } = readArguments();
  const rows = await makeData(folder, options);
  console.log(
    `${rows.train.length} training and ${rows.validation.length} validation questions in ${folder}`,
  );
  console.log('floor (the commonest training answer to each question):');
  for (const type of questionTypes) {
    const of = (row: FlatRow) => row.question_type === type;
    console.log(`  ${type.padEnd(10)} ${percent(floor(rows.train.filter(of), rows.validation.filter(of)))}`);
  }
  console.log(`  all        ${percent(floor(rows.train, rows.validation))}`);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

if (import.meta.url === new URL(process.argv[1], 'file:').href) await main();
