/** What watching costs: the files are read by one reader, as they grow, while somebody watches. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { watch } from '../../src/watch/watch.ts';
import { generatedRun, lines, writeRun } from '../report/generated-run.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';
import { readEvents, type StreamEvent, stepsOf } from './event-stream.ts';

/** Bytes that were read from files, by any way that src takes. */
const read = vi.hoisted(() => ({ bytes: 0 }));

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const counted = {
    readSync: (...args: Parameters<typeof fs.readSync>) => {
      const bytes = fs.readSync(...args);
      read.bytes += bytes;
      return bytes;
    },
    readFileSync: (...args: Parameters<typeof fs.readFileSync>) => {
      const content = fs.readFileSync(...args);
      read.bytes += content.length;
      return content;
    },
  };
  return { ...fs, ...counted, default: { ...fs, ...counted } };
});

const run = generatedRun();
const upTo = (step: number) => run.events.filter((event) => event.type !== 'finish' && event.step <= step);
const newSteps = lines(run.events.filter((event) => event.type === 'step' && event.step > 40));

function runningRun(): string {
  const { finish: _, ...record } = run.record;
  const running = { ...run, record: { ...record, status: 'running' as const }, events: upTo(40) };
  return writeRun(join(temporaryFolder(), 'run'), running);
}

async function serve(folder: string): Promise<string> {
  const { url, close } = await watch(folder);
  onTestFinished(close);
  return url;
}

const hasState = (events: StreamEvent[]) => events.some(({ event }) => event === 'state');

/** Ends when the watcher has seen `steps` of them, and leaves then. */
const watchUntil = (url: string, steps: number) =>
  readEvents(`${url}events`, (events) => stepsOf(events).length >= steps && hasState(events));

async function costOf(work: () => Promise<unknown>): Promise<number> {
  const before = read.bytes;
  await work();
  return read.bytes - before;
}

it('reads nothing for further watchers, nor for their pages', async () => {
  const url = await serve(runningRun());
  readEvents(`${url}events`, () => false).catch(() => {});
  await watchUntil(url, 40);
  const cost = await costOf(async () => {
    await Promise.all(Array.from({ length: 8 }, () => watchUntil(url, 40)));
    await Promise.all(Array.from({ length: 8 }, async () => (await fetch(url)).text()));
  });
  expect(cost).toBe(0);
  expect(read.bytes).toBeGreaterThan(0);
});

it('reads of a file that grows what is new, once for all', async () => {
  const folder = runningRun();
  const url = await serve(folder);
  const all = run.events.filter(({ type }) => type === 'step').length;
  const watchers = Array.from({ length: 8 }, () => watchUntil(url, all));
  await watchUntil(url, 40);
  const cost = await costOf(async () => {
    appendFileSync(join(folder, 'metrics.jsonl'), newSteps);
    await Promise.all(watchers);
  });
  // Each time that it grew also its beginning, by which another run would show.
  expect(cost).toBeGreaterThanOrEqual(Buffer.byteLength(newSteps));
  expect(cost).toBeLessThan(Buffer.byteLength(newSteps) + 4 * 256);
});

it('reads nothing while nobody watches', async () => {
  const folder = runningRun();
  const url = await serve(folder);
  await watchUntil(url, 40);
  const cost = await costOf(async () => {
    appendFileSync(join(folder, 'metrics.jsonl'), newSteps);
    // Longer than the two seconds after which a followed folder is looked at.
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });
  expect(cost).toBe(0);
});

it('reads nothing more of a run that is over, however it is looked at', async () => {
  const folder = writeRun(join(temporaryFolder(), 'run'), run);
  const url = await serve(folder);
  await watchUntil(url, 1);
  const cost = await costOf(async () => {
    await fetch(url);
    await readEvents(`${url}events`, () => false);
    writeFileSync(join(folder, 'notes.txt'), 'of the user');
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });
  expect(cost).toBe(0);
});
