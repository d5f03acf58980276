/**
 * Makes the demo's base: a tiny Qwen2-VL, from random weights to long answers about scenes, by the project's own full
 * fine-tuning. Writes demo/base/model.safetensors (bf16).
 *
 *     npm run build && npx jiti demo/pretrain.ts [--scenes 12000] [--epochs 1] [--work runs/pretrain]
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ConfigInput, train } from '../dist/index.js';
import { writeFullCheckpoint } from '../src/checkpoint/full.ts';
import { readTensor } from '../src/formats/safetensors.ts';
import { loadModelConfig } from '../src/models/qwen2-vl/config.ts';
import { hubName, openModelWeights, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { writeFreshModel } from '../tiny/fresh-weights.ts';
import { makeData, splits } from './make-data.ts';
import { reportQuestion } from './questions.ts';

const base = fileURLToPath(new URL('base', import.meta.url));
/** Of fresh matrices; the published 0.02 is for widths ten times ours. */
const initializerRange = 0.05;

/** The trained weights rounded to bf16, as the published checkpoints are. */
async function writeBase(trained: string, folder: string): Promise<void> {
  const config = await loadModelConfig(trained);
  const weights = await openModelWeights(trained, config);
  const parameters = await Promise.all(
    parameterTable(config).map(async ({ name, shape }) => ({
      name,
      shape,
      data: await readTensor(weights.get(name)!),
    })),
  );
  await writeFullCheckpoint(folder, { base: trained, dtype: 'bf16', parameters, storedName: hubName });
}

/** The reports alone, ten facts a picture: what a tower with random weights learns to see from first. */
function writeReports(data: string): void {
  for (const split of splits) {
    const lines = readFileSync(join(data, `${split}.jsonl`), 'utf8').split('\n');
    const reports = lines.filter((line) => line.includes(JSON.stringify(reportQuestion)));
    writeFileSync(join(data, `${split}-reports.jsonl`), `${reports.join('\n')}\n`);
  }
}

interface Stage {
  model: string;
  data: string;
  /** Ends the names of the data files. */
  rows: '' | '-reports';
  epochs: number;
  output: string;
}

async function trainStage({ model, data, rows, epochs, output }: Stage): Promise<void> {
  const config: ConfigInput = {
    model,
    data: { train: join(data, `train${rows}.jsonl`), validation: join(data, `validation${rows}.jsonl`) },
    full: { parameters: 'all' },
    train: {
      epochs,
      learningRate: 2e-3,
      warmupSteps: 60,
      gradientAccumulation: 16,
      evaluateEvery: 250,
      recompute: false,
    },
    pack: { maxTokens: 768, order: 'rows' },
    output,
  };
  for await (const event of train(config, { overwrite: true })) {
    if (event.type === 'step' && event.step % 25 !== 0) continue;
    if (event.type !== 'start') console.log(JSON.stringify(event));
  }
}

const { values } = parseArgs({
  options: {
    scenes: { type: 'string', default: '12000' },
    epochs: { type: 'string', default: '1' },
    work: { type: 'string', default: 'runs/pretrain' },
  },
});
const [work, epochs] = [values.work, Number(values.epochs)];
const data = join(work, 'data');
mkdirSync(work, { recursive: true });
await makeData(data, { train: Number(values.scenes), validation: 100, style: 'long', conversations: true });
writeReports(data);
const fresh = join(work, 'fresh');
await writeFreshModel(fresh, { base, deviation: () => initializerRange, seed: 42 });
const [first, second] = [join(work, 'reports'), join(work, 'questions')];
await trainStage({ model: fresh, data, rows: '-reports', epochs, output: first });
await trainStage({ model: join(first, 'adapter'), data, rows: '', epochs, output: second });
await writeBase(join(second, 'best'), join(work, 'base'));
copyFileSync(join(work, 'base', 'model.safetensors'), join(base, 'model.safetensors'));
