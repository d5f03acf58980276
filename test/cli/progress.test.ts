import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress.ts';
import { describeStart } from '../../src/cli/start.ts';
import type { StartEvent, StepEvent, TrainEvent } from '../../src/train/events.ts';
import { trainCheck } from '../check/split-check.ts';

const start: StartEvent = {
  type: 'start',
  model: 'models/base',
  output: 'runs/first',
  device: 'cpu',
  threads: 2,
  data: {
    train: {
      file: 'train.jsonl',
      sha256: '',
      form: 'flat',
      fields: { image: 'image_path', question: 'question' },
      guessed: ['image', 'question'],
      rows: 3064,
      skipped: 2,
      images: 315,
      tokens: 100_000,
      labelTokens: 9_000,
      longestRow: 400,
      cutRows: 0,
    },
  },
  check: { splits: [trainCheck], warnings: ['One row is odd.'] },
  base: { modelType: 'qwen2_vl', parameters: 2_208_985_600, vocabulary: 151_936, dtypes: ['bf16'] },
  method: 'lora',
  trained: { tensors: 392, parameters: 18_464_768, modules: 196 },
  epochs: 3,
  totalSteps: 576,
  sharing: { rows: 9192, rowTokens: 300_000, tokens: 100_000, picturesPerStep: 2.4 },
  decisions: [],
};

const step = (n: number): StepEvent => ({
  type: 'step',
  step: n,
  epoch: 1,
  loss: 1.5,
  gradNorm: 0.25,
  learningRate: 5e-6,
  labelTokens: 10,
  rows: 16,
  pictures: 2,
  rowTokens: 300,
  tokens: 100,
  tokensPerSecond: 123,
  secondsLeft: 3600,
  seconds: 60,
  memory: 2 ** 30,
});

function told(events: TrainEvent[], terminal: boolean, now: () => number): string {
  let text = '';
  const screen = { write: (piece: string) => (text += piece), isTTY: terminal, columns: 120 };
  const progress = createProgress(screen, now);
  for (const event of events) progress.show(event);
  progress.end();
  return text;
}

const evaluation: TrainEvent = {
  type: 'evaluate',
  step: 2,
  loss: 0.9,
  rows: 20,
  tokens: 100,
  tokenAccuracy: 0.75,
  exactMatch: 0.5,
  answerLoss: 1.25,
  calibrationError: 0.1,
  gap: { value: 0.25, low: 0.1, high: 0.4 },
  best: true,
  seconds: 3,
};

describe('the story of a run', () => {
  it('begins with what a person would ask', () => {
    const text = told([start], false, () => 0);
    for (const expected of [
      'models/base',
      'train.jsonl: flat rows (image from "image_path", guessed; question)',
      'Rows        3,064 to train on, none to validate on',
      '100,000 in training, 4,000 of them trained on (4.0 %)',
      'Note        One row is odd.',
      'LoRA on 196 modules: 18,464,768 parameters',
      'cpu, 2 threads',
      '576 in 3 epochs',
      'runs/first',
    ]) {
      expect(text).toContain(expected);
    }
  });

  it('says how the check before it goes on', () => {
    const checking: TrainEvent = {
      type: 'check',
      split: 'train',
      rows: 1200,
      totalRows: 38_575,
      secondsLeft: 75,
    };
    const text = told([checking, start], true, () => 0);
    const line = 'checking train rows  1,200/38,575  1 min 15 s left';
    expect(text.startsWith(`${line}\r\x1b[2KTraining`)).toBe(true);
  });

  it('rewrites one line on a terminal and keeps evaluations above it', () => {
    const text = told([start, step(1), step(2), evaluation], true, () => 0);
    expect(text).toContain('\r\x1b[2K');
    expect(text).toContain(
      'step 2/576  loss 1.5000  norm 0.250  rate 5.00e-6  123 tokens/s  1 h 00 min left',
    );
    expect(text).toContain(
      'validation loss 0.9000, answers alone 1.2500, +0.25 beside training rows, 75.0 % of tokens right, 50.0 % of answers exact',
    );
    expect(text.endsWith('\n')).toBe(true);
  });

  it('writes plain lines at intervals where there is no terminal, the first and the last always', () => {
    let seconds = 0;
    const events = Array.from({ length: 30 }, (_, i) => step(i + 1));
    const text = told([{ ...start, totalSteps: 30 }, ...events], false, () => (seconds += 1));
    expect(text).not.toContain('\x1b');
    const steps = text.split('\n').filter((line) => line.startsWith('step '));
    expect(steps[0]).toContain('step 1/30');
    expect(steps.at(-1)).toContain('step 30/30');
    expect(steps.length).toBeLessThan(6);
  });

  it('tells the answers that were given beside the floor, and that some did not end', () => {
    const scores = {
      loss: 1,
      rows: 9,
      tokens: 50,
      tokenAccuracy: 0.5,
      exactMatch: 0.25,
      answerLoss: 2,
      calibrationError: 0,
    };
    const answers = {
      rows: 8,
      answers: 1200,
      exactMatch: 0.5,
      interval: { low: 0.25, high: 0.751 },
      f1: 0.61,
      floor: 0.34,
      cut: 3,
    };
    const evaluation: TrainEvent = { type: 'evaluate', step: 5, ...scores, answers, best: true, seconds: 2 };
    const text = told([start, evaluation], false, () => 0);
    expect(text).toContain(
      '1,200 answers given: 50.0 % [25.0, 75.1] right, token F1 61.0 %, floor 34.0 %, 3 did not end  (best so far)',
    );
    const alone = { ...answers, interval: null, cut: 0 };
    expect(told([start, { ...evaluation, answers: alone }], false, () => 0)).toContain(
      '1,200 answers given: 50.0 % right, token F1 61.0 %, floor 34.0 %  (best so far)',
    );
    const answering: TrainEvent = {
      type: 'scoring',
      step: 5,
      part: 'answers',
      rows: 7,
      totalRows: 64,
      secondsLeft: 70,
    };
    expect(told([start, answering], true, () => 0)).toContain(
      'answering after step 5  7/64 questions  1 min 10 s left',
    );
  });

  it('says that it ended early, and by what figure', () => {
    const finish: TrainEvent = {
      type: 'finish',
      status: 'finished',
      step: 300,
      totalSteps: 576,
      best: { step: 200, loss: 0.5, metric: 'answers.exactMatch', value: 0.75 },
      stoppedEarly: { patience: 2, bestStep: 200 },
      seconds: 9,
      peakMemory: 2 ** 30,
    };
    const text = told([start, finish], false, () => 0);
    expect(text).toContain(
      'Done early: 300 of 576 steps in 9 s. The exact match of given answers was best at step 200 and no better in 2 evaluations since.',
    );
    expect(text).toContain('runs/first/best  (exact match of given answers 75.0 % at step 200)');
  });

  it('ends with where things are', () => {
    const finish: TrainEvent = {
      type: 'finish',
      status: 'stopped',
      step: 7,
      totalSteps: 576,
      best: { step: 5, loss: 0.5, metric: 'loss', value: 0.5 },
      seconds: 9,
      peakMemory: 2 ** 30,
    };
    const text = told([start, finish], false, () => 0);
    expect(text).toContain('Stopped after step 7 of 576; what was learned is kept.');
    expect(text).toContain('runs/first/best  (validation loss 0.5000 at step 5)');
  });
});

describe('rows that are lost on the way', () => {
  it('are told one by one, until they are many', () => {
    const skips = [1, 2, 3, 4, 5].map((lost): TrainEvent => {
      return { type: 'skip', split: 'train', row: lost, reason: `row ${lost}: damaged`, lost };
    });
    const text = told(skips, false, () => 0);
    expect(text.match(/damaged/g)).toHaveLength(3);
    expect(text).toContain('Further train rows that are skipped are named in run.json alone.');
  });

  it('names three warnings of a kind', () => {
    const warnings = [11, 12, 13, 14].map((step): TrainEvent => {
      return { type: 'warning', kind: 'explosion', step, applied: true, text: `norm of ${step}`, rows: [] };
    });
    const stuck: TrainEvent = {
      type: 'warning',
      kind: 'stuck',
      step: 15,
      applied: true,
      text: 'stuck',
      rows: [],
    };
    const text = told([...warnings, stuck], false, () => 0);
    expect(text).toContain('Warning: step 13: norm of 13');
    expect(text).not.toContain('norm of 14');
    expect(text).toContain('Further warnings of this kind stand in metrics.jsonl alone.');
    expect(text).toContain('Warning: step 15: stuck');
  });
});

describe('the line of pictures at the start', () => {
  const told = (decisions: StartEvent['decisions']) =>
    /Vision +(.*)/.exec(describeStart({ ...start, decisions }))?.[1];

  it('says how many are known, or why none is kept', () => {
    const kept = { what: 'vision cache', value: 'f32', reason: 'frozen' };
    const known = { what: 'pictures known', value: '12 of 314', reason: 'in a folder' };
    expect(told([kept, known])).toBe(
      '12 of 314 pictures known already; each other passes the tower once and is kept as f32',
    );
    const others = { what: 'entries not used', value: '5 entries', reason: 'made by others' };
    expect(told([kept, known, others])).toContain('; not used: 5 entries that another version');
    expect(told([{ ...kept, value: 'off', reason: 'the vision tower is trained' }])).toBe(
      'pictures pass the tower whenever they are needed: the vision tower is trained',
    );
  });
});

describe('the line of memory at the start', () => {
  const told = (memory: StartEvent['memory']) =>
    /Memory +(.*)/.exec(describeStart({ ...start, memory }))?.[1];

  it('says what the run needs of what there is, and what was picked and why', () => {
    const picked = [{ what: 'train.recompute', value: true, reason: 'keeping activations needs 14.2 GB' }];
    expect(told({ needed: 1.9e9, limit: { bytes: 12e9, from: 'memory' }, picked })).toBe(
      'about 1.90 GB of 12.0 GB that `memory` allows, mapped weights not counted; train.recompute true (keeping activations needs 14.2 GB)',
    );
    expect(told({ needed: 5e8, limit: { bytes: 2e10, from: 'machine' }, picked: [] })).toBe(
      'about 500.0 MB of 20.0 GB that this machine has left, mapped weights not counted',
    );
    expect(told(undefined)).toBeUndefined();
  });
});
