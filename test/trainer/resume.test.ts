/** An interruption of a run that answers, chooses its best by what it answered and has patience changes none of it. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { openTrainingAnswers } from '../../src/evaluate/training-answers.ts';
import { withoutTiming } from '../../src/train/events.ts';
import { type RunOptions, run } from '../../src/train/run.ts';
import { inProcess, tinyRun } from '../train/tiny-run.ts';

const words = {
  epochs: 12,
  gradientAccumulation: 2,
  learningRate: 2e-2,
  schedule: 'constant',
  evaluateEvery: 3,
  evaluateAnswers: 100,
  bestBy: 'answers.f1',
  patience: 3,
  saveEvery: 2,
  threads: 1,
};

it('goes on in the middle of evaluations and of patience, and ends in the same bytes', async () => {
  const folder = tinyRun({ train: words });
  const config = await loadConfig(join(folder, 'config.yaml'));
  const seams = { ...inProcess, openAnswers: openTrainingAnswers };
  const train = async (changes: Partial<RunOptions>) => {
    for await (const _ of run(config, { ...seams, ...changes } as typeof seams));
  };
  const read = (name: string) => readFileSync(join(folder, 'run', name), 'utf8');
  const outcome = () => ({
    metrics: read('metrics.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => withoutTiming(JSON.parse(line))),
    adapters: ['adapter', 'best'].map((which) => read(`${which}/adapter_model.safetensors`)),
  });
  let questions = 0;
  const count = () => {
    questions++;
    return false;
  };
  await train({ stopped: count });
  const expected = outcome();
  const end = expected.metrics.at(-1);
  expect(end).toMatchObject({ type: 'finish', status: 'finished', stoppedEarly: { patience: 3 } });
  expect(expected.metrics[0]).toMatchObject({ answers: { rows: 2 } });
  const all = questions;
  rmSync(join(folder, 'run'), { recursive: true });
  // Stopped again and again, after ever more of the questions that a whole run asks, so that it ends.
  for (let stops = 0; ; stops++) {
    let asked = 0;
    await train({ resume: true, stopped: () => asked++ >= ((stops + 2) * all) / 9 });
    if (JSON.parse(read('run.json')).status === 'finished') {
      expect(stops).toBeGreaterThan(1);
      break;
    }
  }
  expect(outcome()).toEqual(expected);
}, 240_000);
