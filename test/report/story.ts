/** Runs as a folder might tell them, from a seed: noisy curves, scored rows, with and without overfitting. */
import { type Config, configSchema } from '../../src/config/schema.ts';
import { type Stream, stream } from '../../src/random.ts';
import type { EvaluationPoint, RunStory, StepPoint } from '../../src/report/run-story.ts';
import type { Scores } from '../../src/train/events.ts';
import type { RowScore, TokenScore } from '../../src/train/row-scores.ts';
import type { RunRecord } from '../../src/train/run-folder.ts';

export interface StoryOptions {
  seed?: number;
  steps?: number;
  /** Steps done, where the run goes on. */
  done?: number;
  evaluations?: number;
  /** Validation rows that were scored. */
  rows?: number;
  overfits?: boolean;
  /** Rows carry question types. */
  types?: boolean;
  picture?: Uint8Array;
}

const vocabulary = 151_936;
const kinds = [
  {
    type: 'presence',
    question: 'Is there a polyp?',
    answer: ['Yes', ',', ' there', ' is', ' a', ' pol', 'yp', '.'],
    ease: 0.35,
  },
  { type: 'count', question: 'How many polyps are there?', answer: ['Two', ' pol', 'yps', '.'], ease: 1 },
  {
    type: 'position',
    question: 'Where in the picture is the instrument?',
    answer: ['Lower', ' left', ',', ' near', ' the', ' edge', '.'],
    ease: 1.4,
  },
  {
    type: 'colour',
    question: 'What colour is the abnormality?',
    answer: ['Pink', ' and', ' red'],
    ease: 0.8,
  },
];

export function makeStory(options: StoryOptions = {}): RunStory {
  const { seed = 1, steps = 600, evaluations = 12, rows = 160, overfits = false, types = true } = options;
  const done = options.done ?? steps;
  const random = stream(seed, 'story');
  const every = Math.max(1, Math.floor(steps / evaluations));
  const start = scoredRows(seed, rows, 0, 0, types, options.picture !== undefined);
  const last = scoredRows(seed, rows, done, done / steps, types, options.picture !== undefined);
  const baseline = {
    type: 'baseline' as const,
    ...evaluationAt(0, steps, overfits, random),
    step: 0 as const,
  };
  const points: EvaluationPoint[] = [];
  let lowest = Number.POSITIVE_INFINITY;
  for (let step = every; step <= done; step += every) {
    const evaluation = evaluationAt(step, steps, overfits, random);
    points.push({ type: 'evaluate', ...evaluation, best: evaluation.loss < lowest });
    lowest = Math.min(lowest, evaluation.loss);
  }
  const best = points.findLast((point) => point.best);
  const finish =
    done === steps
      ? {
          type: 'finish' as const,
          status: 'finished' as const,
          step: done,
          totalSteps: steps,
          best: best ? { step: best.step, loss: best.loss, metric: 'loss' as const, value: best.loss } : null,
          seconds: done * 5.2 + 300,
          peakMemory: 3.4e9,
        }
      : undefined;
  return {
    folder: '/data/runs/kvasir-first',
    name: 'kvasir-first',
    source: 'lorikeet',
    status: finish ? 'finished' : 'running',
    record: makeRecord(steps, finish),
    baseline,
    steps: Array.from({ length: done }, (_, at) => stepAt(at + 1, steps, random)),
    evaluations: points,
    finish,
    scores: { start, last },
    picture: () => options.picture,
    missing: [],
    unknown: [],
  };
}

/** 2.6 nats at first, 0.3 and noise in the end. */
function trainLoss(share: number): number {
  return 0.28 + 2.3 * Math.exp(-7 * share);
}

function validationLoss(share: number, overfits: boolean): number {
  return 0.38 + 2.2 * Math.exp(-7 * share) + (overfits ? 0.75 * Math.max(0, share - 0.35) : 0);
}

function stepAt(step: number, steps: number, random: Stream): StepPoint {
  const share = step / steps;
  const warmup = Math.max(1, Math.round(steps * 0.05));
  const rate = step <= warmup ? step / warmup : (steps - step) / (steps - warmup);
  return {
    type: 'step',
    step,
    epoch: 1 + Math.floor(3 * (share - 1e-9)),
    loss: trainLoss(share) * Math.exp(0.22 * random.normal()),
    gradNorm: 1.3 * Math.exp(0.45 * random.normal() - share),
    learningRate: 1e-4 * rate,
    labelTokens: 90 + random.integer(40),
    rows: 16,
    pictures: 2,
    rowTokens: 9000,
    tokens: 4200 + random.integer(400),
    tokensPerSecond: 800 + 40 * random.normal(),
    secondsLeft: (steps - step) * 5.2,
    seconds: step * 5.2,
    memory: 3.1e9 + 2e8 * Math.sin(step / 20),
  };
}

function scoresAt(loss: number, rows: number): Scores {
  const tokenAccuracy = Math.min(0.97, Math.exp(-0.62 * loss));
  return {
    loss,
    rows,
    tokens: rows * 7,
    tokenAccuracy,
    exactMatch: tokenAccuracy ** 5,
    answerLoss: loss * 1.3,
    calibrationError: 0.02 + 0.05 * loss,
  };
}

function evaluationAt(step: number, steps: number, overfits: boolean, random: Stream) {
  const share = step / steps;
  const loss = validationLoss(share, overfits) * Math.exp(0.01 * random.normal());
  const train = trainLoss(share) * 0.97;
  const gap = loss - train;
  return {
    step,
    ...scoresAt(loss, 160),
    train: scoresAt(train, 160),
    gap: { value: gap, low: gap - 0.06, high: gap + 0.07 },
    seconds: 21,
  };
}

export function scoredRows(
  seed: number,
  rows: number,
  step: number,
  share: number,
  types: boolean,
  pictures: boolean,
): RowScore[] {
  return Array.from({ length: rows }, (_, row) => {
    const random = stream(seed, 'row', row, step);
    const { type, question, answer, ease } = kinds[row % kinds.length];
    const score = (text: string, kind: TokenScore['kind'], expected: number): TokenScore => {
      // A token that was the likeliest cost -ln of its probability; another had at most what that one left.
      const top = Math.exp(-expected * -Math.log(1 - 0.999 * random.uniform()) * 0.6);
      const hit = random.uniform() < top ** 0.9;
      const probability = hit ? top : Math.min(top, 1 - top) * (0.05 + 0.9 * random.uniform());
      return { text, kind, loss: -Math.log(probability), hit, top };
    };
    const level = validationLoss(share, false) * ease;
    return {
      step,
      split: row % 4 === 3 ? 'train' : 'validation',
      row,
      ...(types ? { type } : {}),
      images: [`images/case-${row}.jpg`],
      question,
      tokens: [
        ...answer.map((text, at) => score(text, 'answer', level * (at === 0 ? 2 : 0.8))),
        score('<|im_end|>', 'end', level * 0.1),
        score('\n', 'end', level * 0.02),
      ],
      ...(pictures && row < 8 ? { picture: `${row}.jpg` } : {}),
    };
  });
}

export function makeRecord(steps: number, finish?: RunRecord['finish']): RunRecord {
  const summary = {
    sha256: 'a3'.repeat(32),
    form: 'flat',
    fields: { image: 'image', question: 'question', answer: 'answer', type: 'question_class' },
    guessed: ['type'],
    skipped: 0,
    tokens: 1_240_000,
    labelTokens: 31_000,
    longestRow: 412,
    cutRows: 0,
  };
  return {
    status: finish ? 'finished' : 'running',
    startedAt: '2026-05-04T08:12:30.000Z',
    ...(finish ? { endedAt: '2026-05-04T09:09:30.000Z', finish } : {}),
    versions: { lorikeet: '0.1.0', node: '22.11.0', onnxruntime: '1.30.0' },
    platform: { os: 'linux', arch: 'x64', cpu: 'AMD EPYC 7763', cores: 16 },
    seed: 42,
    config: { given: {}, resolved: makeConfig() },
    model: '/data/models/Qwen2-VL-2B-Instruct',
    output: '/data/runs/kvasir-first',
    device: 'cpu',
    threads: 16,
    method: 'lora',
    lora: {
      rank: 16,
      alpha: 32,
      dropout: 0.05,
      targetModules: ['q_proj', 'v_proj'],
      rslora: false,
      scale: 2,
    },
    base: { modelType: 'qwen2_vl', parameters: 2_208_985_600, vocabulary, dtypes: ['BF16'] },
    trained: { tensors: 112, parameters: 2_179_072, modules: 56 },
    epochs: 3,
    totalSteps: steps,
    data: {
      train: { file: '/data/kvasir/train.jsonl', ...summary, rows: 3200, images: 1100 },
      validation: { file: '/data/kvasir/val.jsonl', ...summary, rows: 160, images: 60 },
    },
    check: makeCheck(),
    decisions: [
      { what: 'train.learningRate', value: 0.0001, reason: 'the config file' },
      { what: 'train.schedule', value: 'linear', reason: 'the default' },
      { what: 'train.maxGradNorm', value: 1, reason: 'the default' },
      { what: 'device', value: 'cpu', reason: 'the only one there is' },
      {
        what: 'train type column',
        value: 'question_class',
        reason: 'guessed from the name of the column; data.fields sets it',
      },
      {
        what: 'totalSteps',
        value: steps,
        reason: 'ceil(3200 rows / 16 a step) = 200 steps an epoch, times 3',
      },
    ],
  };
}

function makeConfig(): Config {
  return configSchema.parse({
    model: '/data/models/Qwen2-VL-2B-Instruct',
    data: { train: '/data/kvasir/train.jsonl', validation: '/data/kvasir/val.jsonl' },
    train: { learningRate: 1e-4, warmupRatio: 0.05 },
    output: '/data/runs/kvasir-first',
  });
}

export function makeCheck(): NonNullable<RunRecord['check']> {
  const split = (name: 'train' | 'validation', rows: number) => ({
    split: name,
    rows,
    refused: { count: 0, reasons: [] },
    tokens: {
      system: rows * 14,
      user: rows * 9,
      header: rows * 8,
      image: rows * 256,
      padding: 0,
      answer: rows * 5,
      end: rows * 2,
    },
    labelShare: 7 / 294,
    longest: [{ row: 17, tokens: 412 }],
    images: {
      distinct: Math.ceil(rows / 3),
      uses: rows,
      sizes: [{ width: 448, height: 448, tokens: 256, images: Math.ceil(rows / 3) }],
      saturated: { count: 0, sixteenBit: 0, files: [] },
    },
    questionsPerImage: { least: 1, median: 3, most: 7, mean: 3 },
    answers: { distinct: 212, commonest: [{ text: 'yes', count: Math.ceil(rows / 4) }] },
  });
  return {
    splits: [split('train', 3200), split('validation', 160)],
    shared: {
      same: {
        pictures: 2,
        rows: 6,
        pairs: [{ validation: 'images/case-1.jpg', train: 'images/case-90.jpg' }],
      },
      near: { pictures: 1, rows: 2, pairs: [] },
    },
    chance: { uniform: Math.log(vocabulary), answers: 1.92, unseen: 0.11 },
    warnings: [
      '2 validation pictures also stand in training: 6 validation rows measure memory, not learning.',
    ],
  };
}
