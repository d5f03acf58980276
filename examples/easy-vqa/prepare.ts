/**
 * Makes what easy-vqa.yaml trains on: rows with the kind of each question, and a tiny Qwen2-VL with random weights.
 *
 *     npx jiti examples/easy-vqa/prepare.ts FOLDER_OF_EASY_VQA [--out runs/easy-vqa] [--seed 42]
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ParameterShape } from '../../src/models/qwen2-vl/weights.ts';
import { writeFreshModel } from '../../tiny/fresh-weights.ts';
import { writeTokenizer } from '../../tiny/tokenizer.ts';
import { easyVqaTokenizer, shapes } from './tokenizer.ts';

interface Row {
  image: string;
  question: string;
  answer: string;
}

/** Pictures whose questions are kept for validation. */
const heldOut = 100;

/**
 * Fresh matrices keep the size of what goes through them: 1 over the square root of what is summed. But the pixels of a patch are mostly
 * equal, and their sum would drown what the layers after it add.
 */
function deviation({ kind, shape }: ParameterShape): number {
  return kind === 'conv' ? 0.02 : 1 / Math.sqrt(shape[1]);
}

/** `split`.jsonl with image, question, answer; or the published `split`/questions.json, [question, answer, picture]. */
function readRows(source: string, split: string): Row[] {
  const lines = path.join(source, `${split}.jsonl`);
  if (existsSync(lines))
    return readFileSync(lines, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const triples: [string, string, number][] = JSON.parse(
    readFileSync(path.join(source, split, 'questions.json'), 'utf8'),
  );
  return triples.map(([question, answer, id]) => ({ image: `${split}/images/${id}.png`, question, answer }));
}

/** What a question asks for; yes or no about a colour is another matter than naming it. */
function typeOf({ question, answer }: Row): string {
  if (answer !== 'yes' && answer !== 'no') return shapes.includes(answer) ? 'which shape' : 'which colour';
  return shapes.some((shape) => question.includes(shape)) ? 'is it this shape' : 'is it this colour';
}

function writeRows(rows: Row[], { source, file }: { source: string; file: string }): void {
  const folder = path.dirname(file);
  const lines = rows.map(({ image, question, answer }) => {
    const place = path.relative(folder, path.join(source, image));
    return JSON.stringify({ image: place, question, answer, type: typeOf({ image, question, answer }) });
  });
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** Writes train.jsonl, validation.jsonl and test.jsonl into `out`, and says how many rows each has. */
export function prepareRows(source: string, out: string): Record<string, number> {
  const train = readRows(source, 'train');
  const pictures = [...new Set(train.map(({ image }) => image))];
  const kept = new Set(pictures.slice(-heldOut));
  const files = {
    train: train.filter(({ image }) => !kept.has(image)),
    validation: train.filter(({ image }) => kept.has(image)),
    test: readRows(source, 'test'),
  };
  mkdirSync(out, { recursive: true });
  for (const [name, rows] of Object.entries(files))
    writeRows(rows, { source, file: path.join(out, `${name}.jsonl`) });
  return Object.fromEntries(Object.entries(files).map(([name, rows]) => [name, rows.length]));
}

/** Config and processor of `base/`, the tokenizer, and weights that know nothing. */
export async function prepareModel(folder: string, seed: number): Promise<void> {
  const parts = `${folder}.parts`;
  writeTokenizer(parts, easyVqaTokenizer());
  const base = fileURLToPath(new URL('base/', import.meta.url));
  for (const name of ['config.json', 'preprocessor_config.json'])
    await copyFile(path.join(base, name), path.join(parts, name));
  await writeFreshModel(folder, { base: parts, deviation, seed });
  rmSync(parts, { recursive: true });
}

if (import.meta.url === new URL(process.argv[1], 'file:').href) {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'runs/easy-vqa' },
      seed: { type: 'string', default: '42' },
    },
  });
  if (positionals.length !== 1) throw new Error('one folder expected: that of easy-VQA');
  const counts = prepareRows(positionals[0], values.out);
  await prepareModel(path.join(values.out, 'untrained'), Number(values.seed));
  for (const [name, rows] of Object.entries(counts))
    console.log(`${rows} rows in ${path.join(values.out, `${name}.jsonl`)}`);
  console.log(`a model that knows nothing in ${path.join(values.out, 'untrained')}`);
}
