/**
 * What it costs to leave rows about one picture together: validation loss of the same training, rows shuffled one by one and
 * in groups of up to 2 to 32, equal answers seen. Not part of `npm run bench`: it trains for hours on a shared machine.
 *
 *     npm run build && npx jiti bench/branches.ts [--data vqa-rad easy-vqa] [--pictures 160] [--epochs 2] [--seeds 3] [--branches 0 4 8] [--work runs/branches]
 *
 * Data as in ../shared/data, the demo's base as the model, LoRA on its decoder. Finished trainings are kept and not run again.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const { train }: typeof import('../src/index.ts') = await import(
  new URL('../dist/index.js', import.meta.url).href
);

const { values } = parseArgs({
  options: {
    data: { type: 'string', multiple: true, default: ['vqa-rad', 'easy-vqa'] },
    pictures: { type: 'string', default: '160' },
    epochs: { type: 'string', default: '2' },
    branches: { type: 'string', multiple: true, default: ['0', '2', '4', '8', '16', '32'] },
    seeds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '2e-3' },
    work: { type: 'string', default: 'runs/branches' },
  },
});
const work = resolve(values.work);
const results = join(work, 'results.jsonl');
const [pictures, epochs, rate] = [values.pictures, values.epochs, values.rate].map(Number);

/** Validation rows at most. */
const heldRows = 400;

/** 0 shuffles rows one by one. */
const branches = values.branches.map(Number);

interface Result {
  data: string;
  pictures: number;
  epochs: number;
  rate: number;
  branches: number;
  seed: number;
  loss: number;
  answerLoss: number | null;
  picturesPerStep: number;
  /** Tokens of separate samples over those computed. */
  factor: number;
}

type Row = { image: string; [field: string]: unknown };

const readRows = (file: string): Row[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line));

/** The questions about the first pictures, which are made as small as the model takes them. */
async function prepare(name: string): Promise<string> {
  const from = new URL(`../../shared/data/${name}/`, import.meta.url).pathname;
  const folder = join(work, `${name}-${pictures}`);
  for (const split of ['train', 'test']) {
    const file = join(folder, `${split}.jsonl`);
    if (existsSync(file)) continue;
    const rows = readRows(join(from, `${split}.jsonl`));
    const used = new Set([...new Set(rows.map(({ image }) => image))].slice(0, pictures));
    for (const image of used) {
      mkdirSync(dirname(join(folder, image)), { recursive: true });
      await sharp(join(from, image)).resize(112, 112, { fit: 'fill' }).toFile(join(folder, image));
    }
    const kept = rows
      .filter(({ image }) => used.has(image))
      .slice(0, split === 'test' ? heldRows : undefined);
    writeFileSync(file, kept.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  return folder;
}

async function trainOnce(data: string, folder: string, most: number, seed: number): Promise<Result> {
  const output = join(work, 'run');
  const config = {
    model: new URL('../demo/base', import.meta.url).pathname,
    data: { train: join(folder, 'train.jsonl'), validation: join(folder, 'test.jsonl') },
    train: {
      epochs,
      seed,
      learningRate: rate,
      warmupSteps: 10,
      evaluateEvery: 0,
      evaluateStart: false,
      gapRows: 0,
      recompute: false,
      threads: 1,
    },
    pack: most === 0 ? { order: 'rows' as const } : { order: 'groups' as const, maxBranches: most },
    output,
  };
  let [loss, answerLoss, picturesPerStep, factor] = [Number.NaN, null as number | null, 0, 1];
  for await (const event of train(config, { overwrite: true })) {
    if (event.type === 'start') {
      picturesPerStep = event.sharing.picturesPerStep;
      factor = event.sharing.rowTokens / event.sharing.tokens;
    }
    if (event.type === 'evaluate') ({ loss, answerLoss } = event);
  }
  rmSync(output, { recursive: true });
  return { data, pictures, epochs, rate, branches: most, seed, loss, answerLoss, picturesPerStep, factor };
}

const mean = (numbers: number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const deviation = (numbers: number[]) =>
  Math.sqrt(mean(numbers.map((x) => (x - mean(numbers)) ** 2)) * (numbers.length / (numbers.length - 1)));

/** Differences are of the same seed, so that what a seed brings along falls out. */
function tell(all: readonly Result[]): void {
  const rows = all.filter((result) => result.branches === 0);
  for (const most of branches) {
    const found = all.filter((result) => result.branches === most);
    if (found.length === 0) continue;
    const losses = found.map(({ loss }) => loss);
    const above = found.flatMap(({ seed, loss }) => {
      const same = rows.find((result) => result.seed === seed);
      return same ? [loss - same.loss] : [];
    });
    const [{ picturesPerStep, factor }] = found;
    console.log(
      `  ${most === 0 ? 'rows ' : String(most).padStart(5)}  ${picturesPerStep.toFixed(1).padStart(5)} pictures a step, ` +
        `${factor.toFixed(2)} times fewer tokens, loss ${mean(losses).toFixed(4)} +- ${deviation(losses).toFixed(4)}, ` +
        (above.length > 0
          ? `above rows ${mean(above).toFixed(4)} +- ${deviation(above).toFixed(4)}`
          : 'no rows to compare with'),
    );
  }
}

mkdirSync(work, { recursive: true });
const known: Result[] = existsSync(results)
  ? readFileSync(results, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
const isSame = (result: Result, data: string) =>
  result.data === data && result.pictures === pictures && result.epochs === epochs && result.rate === rate;

for (const data of values.data) {
  const folder = await prepare(data);
  for (let seed = 1; seed <= Number(values.seeds); seed++)
    for (const most of branches) {
      const isDone = known.some((one) => isSame(one, data) && one.branches === most && one.seed === seed);
      if (isDone) continue;
      const result = await trainOnce(data, folder, most, seed);
      known.push(result);
      appendFileSync(results, `${JSON.stringify(result)}\n`);
    }
  console.log(`${data}, ${pictures} pictures, ${epochs} epochs, rate ${rate}`);
  tell(known.filter((result) => isSame(result, data)));
}
