import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.ts';
import { stream } from '../../src/random.ts';
import type {
  BaselineEvent,
  Best,
  EvaluateEvent,
  FinishEvent,
  Scores,
  StepEvent,
} from '../../src/train/events.ts';
import type { RowScore, TokenScore } from '../../src/train/row-scores.ts';
import type { RunRecord } from '../../src/train/run-folder.ts';

/** How long a made-up run is. */
export interface RunSize {
  steps: number;
  evaluateEvery: number;
  /** Validation rows; there are a third as many training rows among the scores. */
  rows: number;
  /** Label tokens of a row, the two end tokens among them. */
  tokensPerRow: number;
}

const small: RunSize = { steps: 60, evaluateEvery: 10, rows: 24, tokensPerRow: 6 };

/** Everything that a run folder holds, drawn from a seed: the loss falls from 2 towards 0.5. */
export function generatedRun(changes: Partial<RunSize> = {}, seed = 1) {
  const size = { ...small, ...changes };
  const draws = stream(seed, 'generated-run');
  const lossAt = (step: number) => 0.5 + 1.5 * Math.exp((-4 * step) / size.steps);
  const events: (BaselineEvent | StepEvent | EvaluateEvent | FinishEvent)[] = [
    { type: 'baseline', step: 0, ...scoresAt(lossAt(0), size), seconds: 3 },
  ];
  for (let step = 1; step <= size.steps; step++) {
    events.push(stepAt(step, lossAt(step) * (1 + 0.1 * draws.normal()), size));
    if (step % size.evaluateEvery === 0)
      events.push(evaluationAt(step, lossAt(step) + 0.05, lossAt(step), size));
  }
  const finish: FinishEvent = {
    type: 'finish',
    status: 'finished',
    step: size.steps,
    totalSteps: size.steps,
    best: bestOf(size.steps, lossAt(size.steps) + 0.05),
    seconds: size.steps * 2,
    peakMemory: 1.5e9,
  };
  events.push(finish);
  return {
    record: recordOf(size, finish),
    events,
    start: scoredRows(0, 2, size, seed),
    last: scoredRows(size.steps, 0.55, size, seed),
  };
}

function bestOf(step: number, loss: number): Best {
  return { step, loss, metric: 'loss', value: loss };
}

/** 10,000 steps, 200 evaluations, 50,000 validation tokens. */
export function longRun(): GeneratedRun {
  return generatedRun({ steps: 10_000, evaluateEvery: 50, rows: 6250, tokensPerRow: 8 });
}

export type GeneratedRun = ReturnType<typeof generatedRun>;

function stepAt(step: number, loss: number, { steps }: RunSize): StepEvent {
  return {
    type: 'step',
    step,
    epoch: 1 + Math.floor((3 * (step - 1)) / steps),
    loss,
    gradNorm: 0.4 + loss / 10,
    learningRate: (1e-4 * (steps - step + 1)) / steps,
    labelTokens: 96,
    rows: 16,
    pictures: 3,
    rowTokens: 9100,
    tokens: 4400,
    tokensPerSecond: 2200,
    secondsLeft: (steps - step) * 2,
    seconds: step * 2,
    memory: 1.2e9 + step * 1000,
  };
}

function scoresAt(loss: number, { rows, tokensPerRow }: RunSize): Scores {
  return {
    loss,
    rows,
    tokens: rows * tokensPerRow,
    tokenAccuracy: Math.exp(-loss),
    exactMatch: Math.exp(-2 * loss),
    answerLoss: 1.4 * loss,
    calibrationError: 0.04,
  };
}

function evaluationAt(step: number, loss: number, trainLoss: number, size: RunSize): EvaluateEvent {
  const value = loss - trainLoss;
  return {
    type: 'evaluate',
    step,
    ...scoresAt(loss, size),
    train: scoresAt(trainLoss, { ...size, rows: Math.ceil(size.rows / 3) }),
    gap: { value, low: value - 0.04, high: value + 0.04 },
    best: true,
    seconds: 4,
  };
}

/** Validation rows that have a picture beside them. */
const shownRows = [0, 1, 2, 3];

/** Rows whose tokens cost `loss` on average, exponentially distributed. */
function scoredRows(step: number, loss: number, { rows, tokensPerRow }: RunSize, seed: number): RowScore[] {
  const draws = stream(seed, 'scores', step);
  const words = ['Yes', ', there', ' is', ' a', ' pol', 'yp', ' visible', '.'];
  const token = (t: number): TokenScore => {
    const cost = -loss * Math.log(1 - draws.uniform());
    const probability = Math.exp(-cost);
    const hit = probability > 0.5 || draws.uniform() < probability;
    const isEnd = t >= tokensPerRow - 2;
    return {
      text: isEnd ? ['<|im_end|>', '\n'][t - tokensPerRow + 2] : words[t % words.length],
      kind: isEnd ? 'end' : 'answer',
      loss: Number(cost.toPrecision(7)),
      hit,
      top: Number((hit ? probability : 1 - probability).toPrecision(7)),
    };
  };
  const row = (split: 'train' | 'validation', r: number): RowScore => ({
    step,
    split,
    row: r,
    type: ['yes/no', 'count', 'place'][r % 3],
    images: [`${split}-${Math.floor(r / 2)}.png`],
    question: `Is there a polyp in part ${r}?`,
    tokens: Array.from({ length: tokensPerRow }, (_, t) => token(t)),
    ...(split === 'validation' && shownRows.includes(r) && { picture: `validation-${r}.jpg` }),
  });
  return [
    ...Array.from({ length: rows }, (_, r) => row('validation', r)),
    ...Array.from({ length: Math.ceil(rows / 3) }, (_, r) => row('train', r)),
  ];
}

function recordOf({ steps, rows, tokensPerRow }: RunSize, finish: FinishEvent): RunRecord {
  const resolved = configSchema.parse({
    model: '/models/Qwen2-VL-2B-Instruct',
    data: { train: '/data/train.jsonl', validation: '/data/val.jsonl' },
    train: { learningRate: 1e-4 },
    output: '/runs/first',
  });
  const summary = (file: string, used: number) => ({
    file,
    sha256: 'ab'.repeat(32),
    form: 'flat',
    fields: { image: 'image', question: 'question', answer: 'answer' },
    guessed: [],
    rows: used,
    skipped: 0,
    images: Math.ceil(used / 2),
    tokens: used * 290,
    labelTokens: used * tokensPerRow,
    longestRow: 300,
    cutRows: 0,
  });
  return {
    status: 'finished',
    startedAt: '2026-11-20T09:00:00.000Z',
    endedAt: '2026-11-20T10:00:00.000Z',
    versions: { lorikeet: '0.1.0', node: '20.20.0', onnxruntime: '1.30.0' },
    platform: { os: 'linux', arch: 'x64', cpu: 'AMD EPYC', cores: 2 },
    seed: 42,
    config: { file: '/home/somebody/vqa.yaml', given: { 'train.learningRate': 1e-4 }, resolved },
    model: '/models/Qwen2-VL-2B-Instruct',
    output: '/runs/first',
    device: 'cpu',
    threads: 2,
    data: { train: summary('/data/train.jsonl', 320), validation: summary('/data/val.jsonl', rows) },
    check: checkOf(rows, tokensPerRow),
    base: { modelType: 'qwen2_vl', parameters: 2_208_985_600, vocabulary: 151_936, dtypes: ['BF16'] },
    method: 'lora',
    lora: { rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'v_proj'], rslora: false, scale: 2 },
    trained: { tensors: 112, parameters: 2_179_072, modules: 56 },
    epochs: 3,
    totalSteps: steps,
    decisions: [{ what: 'train.threads', value: 2, reason: 'one for each physical core' }],
    skipped: [],
    finish,
    adapterStep: steps,
    files: ['adapter/adapter_config.json', 'adapter/adapter_model.safetensors'],
  };
}

function checkOf(rows: number, tokensPerRow: number): RunRecord['check'] {
  const split = (name: 'train' | 'validation', used: number) => ({
    split: name,
    rows: used,
    refused: { count: 0, reasons: [] },
    tokens: {
      system: used * 8,
      user: used * 9,
      header: used * 8,
      image: used * 256,
      padding: 0,
      answer: used * (tokensPerRow - 2),
      end: used * 2,
    },
    labelShare: tokensPerRow / 290,
    longest: [{ row: 3, tokens: 300 }],
    images: {
      distinct: Math.ceil(used / 2),
      uses: used,
      sizes: [{ width: 448, height: 448, tokens: 256, images: Math.ceil(used / 2) }],
      saturated: { count: 0, sixteenBit: 0, files: [] },
    },
    questionsPerImage: { least: 1, median: 2, most: 2, mean: 2 },
    answers: { distinct: 3, commonest: [{ text: 'yes', count: Math.ceil(used / 2) }] },
  });
  const none = { pictures: 0, rows: 0, pairs: [] };
  return {
    splits: [split('train', 320), split('validation', rows)],
    shared: { same: none, near: none },
    chance: { uniform: Math.log(151_936), answers: 1.9, unseen: 0.1 },
    warnings: [],
  };
}

/** A JPEG of one grey pixel's size as far as its first bytes go; nobody decodes it here. */
export const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0, 0xff, 0xd9]);

/** Writes it as a run does. */
export function writeRun(folder: string, { record, events, start, last }: GeneratedRun): string {
  mkdirSync(join(folder, 'scores', 'pictures'), { recursive: true });
  writeFileSync(join(folder, 'run.json'), `${JSON.stringify(record, null, 2)}\n`);
  writeFileSync(join(folder, 'metrics.jsonl'), lines(events));
  writeFileSync(join(folder, 'scores', 'start.jsonl'), lines(start));
  writeFileSync(join(folder, 'scores', 'last.jsonl'), lines(last));
  for (const r of shownRows) writeFileSync(join(folder, 'scores', 'pictures', `validation-${r}.jpg`), jpeg);
  return folder;
}

export function lines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
