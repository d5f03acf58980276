import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import {
  abandon,
  createStopFlag,
  isAbandoned,
  isRaised,
  raise,
  threadEvents,
} from '../../src/train/thread.ts';

const post = (message: object) => `parentPort.postMessage(${JSON.stringify(message)});`;
const step = (n: number) => post({ event: { type: 'step', step: n } });
const threadOf = (code: string) =>
  new Worker(`const { parentPort } = require('node:worker_threads'); ${code}`, { eval: true });

const nothing = () => {};

async function collect(worker: Worker): Promise<number[]> {
  const steps: number[] = [];
  for await (const event of threadEvents(worker, nothing)) if (event.type === 'step') steps.push(event.step);
  return steps;
}

describe('events of a thread', () => {
  it('come in order and end when it says so', async () => {
    expect(await collect(threadOf(step(1) + step(2) + post({ done: true })))).toEqual([1, 2]);
  });

  it('end with its error, after the events before it', async () => {
    const error = {
      code: 'training',
      what: 'finite numbers expected, got NaN',
      place: { step: 2 },
      message: '',
    };
    const seen: number[] = [];
    const run = async () => {
      for await (const event of threadEvents(threadOf(step(1) + post({ error })), nothing)) {
        if (event.type === 'step') seen.push(event.step);
      }
    };
    await expect(run()).rejects.toMatchObject({ code: 'training', place: { step: 2 } });
    expect(seen).toEqual([1]);
  });

  it.each([
    ['leaves', 'setTimeout(() => process.exit(7), 50)', 'it ended with code 7'],
    ['throws', 'setTimeout(() => { throw new Error("oops") }, 50)', 'oops'],
  ])('say at which step and rows a thread %s without a word', async (_, end, reason) => {
    const entering = post({ entering: { step: 6, rows: [3, 9] } });
    const error = await collect(threadOf(step(5) + entering + end)).catch((error) => error);
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error.code).toBe('run');
    expect(error.message).toContain(
      `step 6, rows 3, 9: the training thread expected to go on, but ${reason}`,
    );
  });

  it('ask the thread to end when nobody listens any more, and wait until it has', async () => {
    const worker = threadOf(`
      const timer = setInterval(() => { ${step(1)} }, 1);
      parentPort.on('message', () => {
        clearInterval(timer);
        setTimeout(() => { ${post({ done: true })} }, 100); // a graph run under way
      });
    `);
    const told: string[] = [];
    worker.on('message', (message) => 'done' in message && told.push('done'));
    worker.once('exit', () => told.push('exit'));
    for await (const _ of threadEvents(worker, () => worker.postMessage('leave'))) break;
    expect(told).toEqual(['done', 'exit']);
  });

  it('share a flag', async () => {
    const flag = createStopFlag();
    expect(isRaised(structuredClone(flag))).toBe(false);
    raise(flag);
    expect([isRaised(flag), isAbandoned(flag)]).toEqual([true, false]);
    abandon(flag);
    raise(flag);
    expect([isRaised(flag), isAbandoned(flag)]).toEqual([true, true]);
  });
});
