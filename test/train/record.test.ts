import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import type { BaselineEvent, EvaluateEvent, StepEvent } from '../../src/train/events.ts';
import type { LoopEvent } from '../../src/train/loop.ts';
import { type DescribeRows, record, type SaveCheckpoint } from '../../src/train/record.ts';
import { openRunFolder, readRunRecord } from '../../src/train/run-folder.ts';

let folder: string;
let weights = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-record-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const step = (n: number) => ({ type: 'step', step: n, loss: n }) as StepEvent;
const evaluate = (n: number, best: boolean) => ({ type: 'evaluate', step: n, best }) as EvaluateEvent;
const finish = (status: 'finished' | 'stopped'): LoopEvent => ({
  type: 'finish',
  status,
  step: 3,
  totalSteps: 3,
  best: null,
  seconds: 1,
  peakMemory: 1,
});

/** Plays events; the weights are named after the step before each. */
async function* play(events: (LoopEvent | Error)[]): AsyncGenerator<LoopEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    if ('step' in event && event.type === 'step') weights = `after ${event.step}`;
    yield event;
  }
}

const told: string[] = [];
const scored = (n: number): LoopEvent => ({ type: 'scored', step: n, rows: [] });
const describeRows: DescribeRows = async function* (_, step, keepPicture) {
  await keepPicture('validation-3.jpg', Buffer.from('jpeg'));
  yield { step, split: 'validation', row: 3, images: [], question: 'q', tokens: [] };
};

async function keep(events: (LoopEvent | Error)[], stopAfter = Number.POSITIVE_INFINITY): Promise<void> {
  const run = await openRunFolder(folder, {
    status: 'running',
    startedAt: '',
    versions: { lorikeet: '0.1.0' },
  });
  const write = async (into: string) => writeFileSync(join(into, 'adapter_model.safetensors'), weights);
  let seen = 0;
  const saveCheckpoint: SaveCheckpoint = async ({ state }) => ({
    type: 'checkpoint',
    step: state.step,
    path: '',
  });
  const options = { folder: run, writeAdapter: write, describeRows, saveCheckpoint };
  for await (const event of record(play(events), options)) {
    told.push(event.type);
    if (++seen === stopAfter) break;
  }
}

const adapter = (which: string) => readFileSync(join(folder, which, 'adapter_model.safetensors'), 'utf8');
const lines = () =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the record of a run', () => {
  it('keeps the best adapter and the last', async () => {
    await keep([step(1), evaluate(1, true), step(2), evaluate(2, false), step(3), finish('finished')]);
    expect(adapter('best')).toBe('after 1');
    expect(adapter('adapter')).toBe('after 3');
    expect(readRunRecord(folder)).toMatchObject({ status: 'finished', finish: { step: 3 } });
  });

  it('writes step, evaluate and finish in their order, and finish last', async () => {
    const estimate: LoopEvent = { type: 'estimate', totalSeconds: 1, tokensPerSecond: 1 };
    await keep([estimate, step(1), evaluate(1, true), finish('stopped')]);
    expect(lines().map(({ type }) => type)).toEqual(['step', 'evaluate', 'finish']);
    expect(lines()[0]).toEqual(step(1));
    expect(readRunRecord(folder)).toMatchObject({ status: 'stopped' });
  });

  it('writes what went wrong while the run went on', async () => {
    const warning: LoopEvent = {
      type: 'warning',
      kind: 'explosion',
      step: 1,
      applied: false,
      text: 'Bang.',
      rows: [{ row: 7, loss: 9 }],
    };
    await keep([step(1), warning, finish('finished')]);
    expect(lines()).toEqual([step(1), warning, expect.objectContaining({ type: 'finish' })]);
  });

  it('keeps what was learned before an error, and says what went wrong', async () => {
    const error = new LorikeetError('training', {
      step: 3,
      rows: [7],
      what: 'finite numbers expected, got NaN',
    });
    await expect(keep([step(1), evaluate(1, true), step(2), error])).rejects.toBe(error);
    expect(adapter('adapter')).toBe('after 2');
    expect(adapter('best')).toBe('after 1');
    expect(readRunRecord(folder)).toMatchObject({ status: 'failed', error: error.message, adapterStep: 2 });
    expect(lines().map(({ type }) => type)).toEqual(['step', 'evaluate', 'step']);
  });

  it('keeps the rows of the start and of the last evaluation, and tells nobody else', async () => {
    const baseline = { type: 'baseline', step: 0 } as BaselineEvent;
    told.length = 0;
    await keep([
      scored(0),
      baseline,
      step(1),
      scored(1),
      evaluate(1, true),
      step(2),
      scored(2),
      evaluate(2, false),
    ]);
    const rows = (which: string) =>
      JSON.parse(readFileSync(join(folder, 'scores', `${which}.jsonl`), 'utf8'));
    expect(rows('start')).toMatchObject({ step: 0, split: 'validation', row: 3 });
    expect(rows('last')).toMatchObject({ step: 2 });
    expect(readFileSync(join(folder, 'scores', 'pictures', 'validation-3.jpg'), 'utf8')).toBe('jpeg');
    expect(told).toEqual(['baseline', 'step', 'evaluate', 'step', 'evaluate']);
    expect(lines().map(({ type }) => type)).toEqual(told);
  });

  it('writes no adapter where nothing was learned', async () => {
    await expect(keep([new Error('no')])).rejects.toThrow('no');
    expect(existsSync(join(folder, 'adapter'))).toBe(false);
  });

  it('does not go on saying that it runs when its reader leaves', async () => {
    await keep([step(1), step(2)], 1);
    expect(readRunRecord(folder)).toMatchObject({ status: 'stopped' });
  });
});
