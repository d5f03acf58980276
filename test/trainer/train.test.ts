import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from '../../src/index.ts';
import { tinyRun } from '../train/tiny-run.ts';

/** Threads need JavaScript, so these tests use what `npm run build` made. */
const library: typeof import('../../src/index.ts') = await import(
  new URL('../../dist/index.js', import.meta.url).href
);

function setUp(changes: Parameters<typeof tinyRun>[0] = {}) {
  const folder = tinyRun(changes);
  const record = () => JSON.parse(readFileSync(join(folder, 'run', 'run.json'), 'utf8'));
  const load = (...set: string[]) => library.loadConfig(join(folder, 'config.yaml'), { set });
  return { folder, record, load };
}

describe('train in the library', () => {
  it('yields the events of a real run and never blocks the thread it is called from', async () => {
    const { folder, record, load } = setUp();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const events: TrainEvent[] = [];
    for await (const event of library.train(await load())) events.push(event);
    clearInterval(timer);
    const types = 'start baseline estimate step step step evaluate step step step evaluate finish';
    // A slow machine also hears how far a scoring is.
    const told = events.map(({ type }) => type).filter((type) => type !== 'scoring');
    expect(told.join(' ')).toBe(types);
    expect(ticks).toBeGreaterThan(20);
    expect(record().status).toBe('finished');
    for (const which of ['adapter', 'best']) {
      expect(existsSync(join(folder, 'run', which, 'adapter_model.safetensors'))).toBe(true);
    }
  });

  it('answers validation rows where it is asked to', async () => {
    const { load } = setUp();
    const config = await load('train.evaluateAnswers=1', 'train.bestBy=answers.f1', 'train.epochs=1');
    const given: unknown[] = [];
    for await (const event of library.train(config)) {
      if (event.type === 'baseline' || event.type === 'evaluate') given.push(event.answers);
      if (event.type === 'finish') expect(event.best).toMatchObject({ step: 3, metric: 'answers.f1' });
    }
    expect(given).toMatchObject([
      { rows: 1, answers: 1, floor: 1 },
      { rows: 1, answers: 1, floor: 1 },
    ]);
  });

  it('takes a config written in place', async () => {
    const { folder } = setUp();
    const config = library.defineConfig({
      model: join(folder, 'model'),
      data: { train: join(folder, 'train.jsonl') },
      train: { maxSteps: 1, learningRate: 1e-4 },
      output: join(folder, 'run'),
    });
    const types: string[] = [];
    for await (const { type } of library.train(config)) types.push(type);
    expect(types).toEqual(['start', 'estimate', 'step', 'finish']);
  });

  it('learns the same twice, and something else from another seed', async () => {
    const losses = async (seed: number) => {
      const { load } = setUp();
      const found: number[] = [];
      for await (const event of library.train(await load(`train.seed=${seed}`, 'lora.dropout=0.1'))) {
        if (event.type === 'step') found.push(event.loss);
      }
      return found;
    };
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it('stops at a step boundary when the signal is aborted, and keeps what was learned', async () => {
    const { folder, record, load } = setUp();
    const controller = new AbortController();
    let last: TrainEvent | undefined;
    for await (const event of library.train(await load('train.epochs=5000'), { signal: controller.signal })) {
      if (event.type === 'step' && event.step === 2) controller.abort();
      last = event;
    }
    expect(last).toMatchObject({ type: 'finish', status: 'stopped' });
    expect(record().status).toBe('stopped');
    expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  it('writes nothing where the signal was aborted before it began', async () => {
    const { folder, load } = setUp();
    for await (const _ of library.train(await load(), { signal: AbortSignal.abort() }))
      throw new Error('an event');
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });

  it('ends its thread when the loop is left', async () => {
    const { folder, record, load } = setUp();
    for await (const event of library.train(await load('train.epochs=5000')))
      if (event.type === 'step') break;
    expect(record().status).toBe('stopped');
    const written = readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8')).toBe(written);
    for (const line of written.trim().split('\n')) JSON.parse(line);
  });

  it('throws errors of the other threads as they are', async () => {
    const { folder, record, load } = setUp({
      train: { gradientAccumulation: 1, shuffle: false, evaluateStart: false, gapRows: 0 },
    });
    const config = await load();
    const error = await (async () => {
      for await (const event of library.train(config)) {
        // Truncated, which no header tells: only the loader's thread can find it.
        if (event.type === 'start')
          writeFileSync(join(folder, 'b.png'), readFileSync(join(folder, 'b.png')).subarray(0, 60));
      }
    })().catch((error) => error);
    expect(error).toBeInstanceOf(library.LorikeetError);
    expect(error.code).toBe('image');
    expect(error.place).toMatchObject({ file: join(folder, 'train.jsonl'), row: 1 });
    expect(error.message).toContain(join(folder, 'b.png'));
    expect(record()).toMatchObject({ status: 'failed', error: error.message });
  });

  it('refuses an output that holds a run', async () => {
    const { load } = setUp();
    const config = await load('train.maxSteps=1');
    for await (const _ of library.train(config));
    const again = async (overwrite: boolean) => {
      for await (const _ of library.train(config, { overwrite }));
    };
    await expect(again(false)).rejects.toMatchObject({ code: 'run' });
    await again(true);
  });
});
