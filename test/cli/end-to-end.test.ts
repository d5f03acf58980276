/**
 * The command from rows and pictures to an adapter, held against the Hugging Face Trainer on the same rows: see
 * reference/parity/end_to_end.py. The pictures and the tokenizer stand beside the repository, in ../shared.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readAdapter, writeAdapter } from '../../src/checkpoint/peft.ts';
import { loadModelConfig } from '../../src/models/qwen2-vl/config.ts';
import { loraTargets } from '../../src/models/qwen2-vl/weights.ts';
import type { EvaluateEvent, StepEvent } from '../../src/train/events.ts';
import { writeTinyCheckpoint } from '../support/checkpoint.ts';
import {
  decodeAll,
  initialAdapter,
  type ParityModel,
  relativeL2,
  type TrainingCase,
} from '../support/parity.ts';
import { tensorName } from '../support/parity-model.ts';
import { copyPublished, hasPublished } from '../support/published.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const data = join(shared, 'data/vqa-rad');
const present = existsSync(data) && hasPublished;

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-end-to-end-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface EndToEndCase extends ParityModel, Pick<TrainingCase, 'training' | 'final'> {
  maxPixels: number;
  /** Rows as they stand in a data file, or numbers of lines in VQA-RAD's own. */
  rows: Record<'train' | 'validation', (object | number)[]>;
  steps: Pick<StepEvent, 'step' | 'loss' | 'gradNorm' | 'learningRate' | 'labelTokens'>[];
  evaluation: Pick<EvaluateEvent, 'loss' | 'tokens' | 'tokenAccuracy' | 'exactMatch'> & {
    answerLoss: number;
  };
}

function load(name: string): EndToEndCase {
  return JSON.parse(readFileSync(new URL(`../fixtures/end-to-end/${name}.json`, import.meta.url), 'utf8'));
}

/** Model, first adapter, data files and config of a case, as a person would have them. Returns the config's path. */
async function setUp(
  found: EndToEndCase,
  place: string,
  changes: { train: object; pack: object },
): Promise<string> {
  const model = join(place, 'model');
  writeTinyCheckpoint(model, found);
  copyPublished(model);
  await writeAdapter(join(place, 'first'), firstAdapter(found), loraTargets(await loadModelConfig(model)));
  const lines = readFileSync(join(data, 'train.jsonl'), 'utf8').split('\n');
  for (const split of ['train', 'validation'] as const) {
    const rows = found.rows[split].map((row) => (typeof row === 'number' ? lines[row] : JSON.stringify(row)));
    writeFileSync(join(place, `${split}.jsonl`), rows.join('\n'));
  }
  const words = {
    model: 'model',
    adapter: 'first',
    data: { train: 'train.jsonl', validation: 'validation.jsonl', images: data },
    image: { maxPixels: found.maxPixels },
    train: { ...found.training, shuffle: false, evaluateEvery: 0, ...changes.train },
    pack: changes.pack,
    output: 'run',
  };
  writeFileSync(join(place, 'config.yaml'), JSON.stringify(words));
  return join(place, 'config.yaml');
}

function firstAdapter(found: EndToEndCase) {
  const { rank, alpha, rslora } = found.lora!;
  const tensors = [...initialAdapter(found, found.final)].map(
    ([key, tensor]) => [tensorName(key), tensor] as const,
  );
  return { config: { rank, alpha, rslora, dropout: 0, baseModel: 'model' }, tensors: new Map(tensors) };
}

function lorikeet(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

function metrics(place: string): (StepEvent | EvaluateEvent)[] {
  const lines = readFileSync(join(place, 'run/metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

describe.skipIf(!present)(
  'lorikeet train does what the Trainer does (skipped where ../shared is absent)',
  () => {
    it.each([
      ['flat', 'rows of VQA-RAD', { pack: { maxTokens: 1 }, train: { recompute: false } }],
      ['flat', 'rows of VQA-RAD that share their pictures', { pack: { maxTokens: 2000 }, train: {} }],
      [
        'messages',
        'several pictures, turns and look-alikes',
        { pack: { maxTokens: 200 }, train: { recompute: true } },
      ],
    ])('%s: %s', async (name, _, changes) => {
      const found = load(name);
      const place = mkdtempSync(join(folder, `${name}-`));
      expect(await lorikeet('train', await setUp(found, place, changes))).toEqual({ code: 0, stderr: '' });
      const lines = metrics(place);
      const steps = lines.filter((line) => line.type === 'step');
      expectSteps(steps, found.steps);
      // Three pictures in the file's order, four rows a step: each step shares, and two groups are cut.
      const shares = steps.map(({ tokens, rowTokens }) => tokens < rowTokens);
      if (name === 'flat') expect(new Set(shares)).toEqual(new Set([changes.pack.maxTokens > 1]));
      const evaluation = lines.find((line) => line.type === 'evaluate')!;
      for (const [key, value] of Object.entries(found.evaluation) as [
        keyof EndToEndCase['evaluation'],
        number,
      ][])
        expect(Math.abs(evaluation[key]! - value), key).toBeLessThanOrEqual(1e-5 * value);
      await expectAdapter(place, found);
    });
  },
);

function expectSteps(events: StepEvent[], expected: EndToEndCase['steps']): void {
  expect(events.map(({ labelTokens }) => labelTokens)).toEqual(
    expected.map(({ labelTokens }) => labelTokens),
  );
  const largest = Math.max(...expected.map(({ loss }) => loss));
  expected.forEach(({ loss, gradNorm, learningRate }, i) => {
    expect(Math.abs(events[i].loss - loss) / largest, `loss of step ${i + 1}`).toBeLessThan(1e-5);
    expect(Math.abs(events[i].gradNorm / gradNorm - 1), `norm of step ${i + 1}`).toBeLessThan(1e-4);
    expect(events[i].learningRate).toBeCloseTo(learningRate, 15);
  });
}

async function expectAdapter(place: string, found: EndToEndCase): Promise<void> {
  const targets = loraTargets(await loadModelConfig(join(place, 'model')));
  const { tensors } = await readAdapter(join(place, 'run/adapter'), targets);
  const first = firstAdapter(found).tensors;
  const final = decodeAll(found.final);
  expect(tensors.size).toBe(final.size);
  for (const [key, expected] of final) {
    const { values } = tensors.get(tensorName(key))!;
    const from = first.get(tensorName(key))!.values;
    const movement = (to: Float32Array) => to.map((value, i) => value - from[i]);
    expect(relativeL2(values, expected), key).toBeLessThan(1e-5);
    expect(relativeL2(movement(values), movement(expected)), key).toBeLessThan(1e-3);
  }
}
