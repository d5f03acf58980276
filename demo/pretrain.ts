/**
 * Makes the demo's base: a tiny Qwen2-VL, from random weights to long answers about scenes, by the project's own full
 * fine-tuning. Writes demo/base/model.safetensors (bf16).
 *
 *     npm run build && npx jiti demo/pretrain.ts [--scenes 12000] [--epochs 1] [--rate 1e-3] [--work runs/pretrain]
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeFullCheckpoint } from '../src/checkpoint/full.ts';
import { readTensor } from '../src/formats/safetensors.ts';
import { loadModelConfig } from '../src/models/qwen2-vl/config.ts';
import { hubName, openModelWeights, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { stream } from '../src/random.ts';
import { makeData } from './make-data.ts';

const base = fileURLToPath(new URL('base', import.meta.url));
/** Standard deviation of fresh matrices; the published 0.02 is for widths ten times ours. */
const initializerRange = 0.05;

/** Random weights: matrices normal, biases 0, norms 1. */
async function writeFreshModel(folder: string, seed: number): Promise<void> {
  const config = await loadModelConfig(base);
  const parameters = parameterTable(config).map(({ name, shape, kind }) => {
    const draws = stream(seed, 'fresh', name);
    const count = shape.reduce((product, dim) => product * dim, 1);
    const value =
      { norm: () => 1, bias: () => 0 }[kind as string] ?? (() => initializerRange * draws.normal());
    return { name, shape, data: Float32Array.from({ length: count }, value) };
  });
  await writeFullCheckpoint(folder, { base, dtype: 'f32', parameters, storedName: hubName });
}

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

const { values } = parseArgs({
  options: {
    scenes: { type: 'string', default: '12000' },
    epochs: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1e-3' },
    work: { type: 'string', default: 'runs/pretrain' },
    from: { type: 'string' },
  },
});
const work = values.work;
mkdirSync(work, { recursive: true });
await makeData(join(work, 'data'), {
  train: Number(values.scenes),
  validation: 200,
  style: 'long',
  conversations: true,
});
const fresh = join(work, 'fresh');
if (!values.from) await writeFreshModel(fresh, 42);
const { train } = await import('../dist/index.js');
const output = join(work, 'run');
const events = train(
  {
    model: values.from ?? fresh,
    data: { train: join(work, 'data/train.jsonl'), validation: join(work, 'data/validation.jsonl') },
    full: { parameters: 'all' },
    train: {
      epochs: Number(values.epochs),
      learningRate: Number(values.rate),
      warmupSteps: 60,
      gradientAccumulation: 16,
      packTokens: 768,
      evaluateEvery: 150,
      recompute: false,
    },
    output,
  },
  { overwrite: true },
);
for await (const event of events) {
  if (event.type === 'step' && event.step % 25 !== 0) continue;
  console.log(JSON.stringify(event.type === 'start' ? { type: 'start', steps: event.totalSteps } : event));
}
await writeBase(join(output, 'best'), join(work, 'base'));
for (const name of readdirSync(join(work, 'base'))) copyFileSync(join(work, 'base', name), join(base, name));
