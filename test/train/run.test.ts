import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Compile, CompiledModel } from '../../src/train/compile.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { type RunOptions, run } from '../../src/train/run.ts';
import { bigramStep } from './bigram.ts';
import { inProcess, tinyRun } from './tiny-run.ts';

/** The real plan, data and run folder around a model that needs no engine. */
const compile: Compile = async () => ({
  ...bigramStep(432),
  device: 'cpu',
  threads: 1,
  base: { modelType: 'qwen2_vl', parameters: 1, vocabulary: 432, dtypes: ['f32'] },
  decisions: [{ what: 'device', value: 'cpu', reason: 'the only one here' }],
  writeAdapter: async (folder) => writeFileSync(join(folder, 'adapter_model.safetensors'), 'x'),
});

async function collect(folder: string, changes: Partial<RunOptions> & { set?: string[] } = {}) {
  const { set, ...options } = changes;
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: TrainEvent[] = [];
  for await (const event of run(config, { ...inProcess, compile, ...options })) events.push(event);
  return events;
}

const lines = (folder: string) =>
  readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const record = (folder: string) => JSON.parse(readFileSync(join(folder, 'run', 'run.json'), 'utf8'));

describe('a run', () => {
  it('goes from a config to a run folder', async () => {
    const folder = tinyRun();
    const events = await collect(folder);
    const types = 'start baseline estimate step step step evaluate step step step evaluate finish';
    expect(events.map(({ type }) => type).join(' ')).toBe(types);
    expect(lines(folder)).toEqual(events.filter(({ type }) => !['start', 'estimate'].includes(type)));
    expect(readdirSync(join(folder, 'run')).sort()).toEqual([
      'adapter',
      'best',
      'events.out.tfevents.lorikeet',
      'metrics.jsonl',
      'run.json',
      'scores',
    ]);
    for (const event of events) expect(structuredClone(event)).toEqual(event);
  });

  it('tells in run.json what is needed to repeat it', async () => {
    const folder = tinyRun();
    await collect(folder, { set: ['train.epochs=1'] });
    const facts = record(folder);
    expect(facts).toMatchObject({
      status: 'finished',
      seed: 42,
      device: 'cpu',
      threads: 1,
      totalSteps: 3,
      versions: {
        lorikeet: '0.1.0',
        node: process.versions.node,
        onnxruntime: expect.stringMatching(/^1\./),
      },
      config: { given: { 'train.epochs': 1 }, resolved: { model: join(folder, 'model') } },
      data: { train: { rows: 5, skipped: 0, images: 5, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    });
    const reasonOf = (what: string) => facts.decisions.find((d: { what: string }) => d.what === what)?.reason;
    expect(reasonOf('totalSteps')).toBe('ceil(5 rows / 2 a step) = 3 steps an epoch, times 1');
    expect(reasonOf('train.epochs')).toBe('--set on the command line');
    expect(reasonOf('train question column')).toContain('guessed');
    expect(reasonOf('device')).toBe('the only one here');
    expect(Date.parse(facts.endedAt)).toBeGreaterThanOrEqual(Date.parse(facts.startedAt));
  });

  it('tells a fresh adapter at a low rate what is usual', async () => {
    const folder = tinyRun();
    await collect(folder, { set: ['train.maxSteps=1', 'output=trained'], compile: inProcess.compile });
    const notices = async (set: string[]) => {
      const events = await collect(folder, { set: ['train.maxSteps=1', ...set], overwrite: true });
      return events.flatMap((event) => (event.type === 'notice' ? [event.text] : [])).join();
    };
    expect(await notices(['train.learningRate=5e-6'])).toContain('1e-4 is usual');
    expect(await notices(['train.learningRate=1e-4'])).toBe('');
    expect(await notices(['train.learningRate=5e-6', 'adapter=trained/adapter'])).toBe('');
  });

  it('clips never at 0, and evaluates at the end alone at 0', async () => {
    const set = ['train.maxGradNorm=0', 'train.evaluateEvery=0', 'train.epochs=1'];
    const events = await collect(tinyRun(), { set });
    expect(events.map(({ type }) => type).join(' ')).toBe(
      'start baseline estimate step step step evaluate finish',
    );
  });

  it('runs in the same order for the same seed, and in another for another', async () => {
    const losses = async (seed: number) => {
      const events = await collect(tinyRun(), { set: [`train.seed=${seed}`] });
      return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
    };
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });
});

describe('a run that cannot go on', () => {
  const refused = [
    ['a missing picture', [{ image: 'c.png', question: 'q', answer: 'a' }], 'image', 'c.png'],
    ['an empty answer', [{ image: 'a.png', question: 'q', answer: '' }], 'data', 'row 0'],
    ['a row of another shape', [{ image: 'a.png', question: 'q', answer: 'a' }, { x: 1 }], 'data', 'row 1'],
  ] as const;

  it.each(refused)('stops before its first step at %s and leaves no folder', async (_, rows, code, word) => {
    const folder = tinyRun({ rows: [...rows] });
    const error = await collect(folder).catch((error) => error);
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(word);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });

  it('skips such rows where it may, and keeps their reasons', async () => {
    const rows = [
      { image: 'c.png', question: 'q', answer: 'a' },
      { image: 'a.png', question: 'q', answer: 'a' },
    ];
    const folder = tinyRun({ rows, onBadRow: 'skip' });
    const [start] = await collect(folder);
    const refused = {
      count: 1,
      reasons: [{ reason: expect.stringContaining('c.png'), count: 1, rows: [0] }],
    };
    expect(start).toMatchObject({
      type: 'start',
      check: { splits: [{ split: 'train', rows: 1, refused }, {}] },
    });
    expect(record(folder).check).toEqual(start.type === 'start' && start.check);
    expect(record(folder).skipped).toMatchObject([
      { split: 'train', row: 0, reason: expect.stringContaining('c.png') },
    ]);
  });

  it('refuses an output that holds a run before it reads anything', async () => {
    const folder = tinyRun();
    await collect(folder, { set: ['train.maxSteps=1'] });
    writeFileSync(join(folder, 'train.jsonl'), 'broken');
    await expect(collect(folder)).rejects.toMatchObject({ code: 'run' });
    expect(record(folder).status).toBe('finished');
  });

  it('leaves the former run as it is until the new one is known to be good', async () => {
    const folder = tinyRun();
    await collect(folder, { set: ['train.maxSteps=1'] });
    writeFileSync(join(folder, 'train.jsonl'), 'broken');
    await expect(collect(folder, { overwrite: true })).rejects.toMatchObject({ code: 'data' });
    expect(record(folder).status).toBe('finished');
    expect(lines(folder).at(-1).type).toBe('finish');
  });

  it('refuses to overwrite the adapter that it would go on from', async () => {
    const folder = tinyRun();
    await collect(folder, { set: ['train.maxSteps=1'] });
    const pass = collect(folder, { overwrite: true, set: ['adapter=run/adapter'] });
    await expect(pass).rejects.toThrow('adapter expected outside output');
  });

  it('tells of a picture that goes missing during the run, and keeps what was learned', async () => {
    const folder = tinyRun({
      train: { shuffle: false, gradientAccumulation: 1, evaluateStart: false, gapRows: 0 },
    });
    const config = await loadConfig(join(folder, 'config.yaml'));
    const pass = run(config, {
      overwrite: false,
      stopped: () => false,
      compile,
      startLoader: inProcess.startLoader,
    });
    const error = await (async () => {
      for await (const event of pass) if (event.type === 'start') rmSync(join(folder, 'b.png'));
    })().catch((error) => error);
    expect(error).toMatchObject({ code: 'image', place: { row: 1 } });
    expect(error.message).toContain('b.png');
    expect(record(folder)).toMatchObject({ status: 'failed', error: error.message });
    expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  describe('for a picture that is damaged', () => {
    const row = (image: string, answer: string) => ({ image, question: 'q', answer });
    const rows = [row('a.png', 'one'), row('b.png', 'two'), row('c.jpg', 'three'), row('a.png', 'four')];
    const settings = { shuffle: false, epochs: 1, evaluateStart: false, gapRows: 0 };
    const alone = { maxTokens: 1 };

    /** A JPEG, and the same without its second half: only decoding shows that. */
    async function pictures() {
      const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 31) % 251));
      const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
        .jpeg()
        .toBuffer();
      return { whole, cut: whole.subarray(0, whole.length / 2) };
    }

    /** A run over rows of which the third names a good picture that is damaged once training begins. */
    async function spoiledRun(changes: Parameters<typeof tinyRun>[0] = {}, set: string[] = []) {
      const folder = tinyRun({ rows, train: settings, pack: alone, ...changes });
      const { whole, cut } = await pictures();
      writeFileSync(join(folder, 'c.jpg'), whole);
      const config = await loadConfig(join(folder, 'config.yaml'), { set });
      const events: TrainEvent[] = [];
      const all = (async () => {
        for await (const event of run(config, { ...inProcess, compile })) {
          if (event.type === 'start') writeFileSync(join(folder, 'c.jpg'), cut);
          events.push(event);
        }
      })();
      const error = await all.then(
        () => undefined,
        (error) => error,
      );
      return { folder, events, error };
    }

    it('stops before the first step with the row and the picture, and writes nothing', async () => {
      const folder = tinyRun({ rows, train: settings, pack: alone });
      writeFileSync(join(folder, 'c.jpg'), (await pictures()).cut);
      const error = await collect(folder).catch((error) => error);
      expect(error).toMatchObject({ code: 'image', place: { line: 3, row: 2 } });
      expect(error.message).toMatch(
        /train\.jsonl:3, row 2: .*c\.jpg: expected a whole picture, .* cut short/,
      );
      expect(existsSync(join(folder, 'run'))).toBe(false);
    });

    it('leaves the row out from the start where it may', async () => {
      const folder = tinyRun({ rows, train: settings, pack: alone, onBadRow: 'skip' });
      writeFileSync(join(folder, 'c.jpg'), (await pictures()).cut);
      const events = await collect(folder, { set: ['data.validation=train.jsonl'] });
      expect(events.filter(({ type }) => type === 'skip')).toEqual([]);
      expect(record(folder)).toMatchObject({
        status: 'finished',
        data: { train: { rows: 3, skipped: 1 }, validation: { rows: 3, skipped: 1 } },
        skipped: ['train', 'validation'].map((split) => ({ split, row: 2 })),
      });
    });

    it('only later, stops with the row, the picture and what was learned', async () => {
      const { folder, error } = await spoiledRun();
      expect(error).toMatchObject({ code: 'image', place: { line: 3, row: 2 } });
      expect(error.message).toMatch(
        /train\.jsonl:3, row 2: .*c\.jpg: expected a whole picture, .* cut short/,
      );
      expect(record(folder)).toMatchObject({ status: 'failed', adapterStep: 1 });
      expect(lines(folder).map(({ type }) => type)).toEqual(['step']);
      expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
    });

    it('only later, leaves the row out where it may, in training and in validation, and names it once', async () => {
      const changes = { onBadRow: 'skip', train: { ...settings, epochs: 2 } };
      const { folder, events } = await spoiledRun(changes, ['data.validation=train.jsonl']);
      expect(events.filter(({ type }) => type === 'skip')).toMatchObject([
        { split: 'train', row: 2, lost: 1 },
        { split: 'validation', row: 2, lost: 1 },
      ]);
      expect(record(folder)).toMatchObject({
        status: 'finished',
        skipped: ['train', 'validation'].map((split) => ({ split, row: 2 })),
      });
      const clean = tinyRun({
        rows: rows.filter(({ image }) => image !== 'c.jpg'),
        train: settings,
        pack: alone,
      });
      const expected = await collect(clean, {
        set: ['data.validation=train.jsonl', 'train.evaluateEvery=0'],
      });
      const tokens = (of: TrainEvent[]) =>
        of.flatMap((event) => (event.type === 'evaluate' ? [event.tokens] : []));
      expect(tokens(events)[0]).toBe(tokens(expected)[0]);
    });

    it('only later, does not go on with nothing', async () => {
      const { folder, error } = await spoiledRun({
        onBadRow: 'skip',
        rows: [row('c.jpg', 'a'), row('c.jpg', 'b')],
      });
      expect(error.message).toMatch(/can be decoded expected, got none of 2; the last: .*c\.jpg/);
      expect(record(folder).status).toBe('failed');
    });
  });

  it('closes loader and model, however it ends', async () => {
    const closed: string[] = [];
    const options: Partial<RunOptions> = {
      compile: async (options) => {
        const model: CompiledModel = await compile(options);
        model.gradients = () => Promise.reject(new Error('engine'));
        model.close = async () => void closed.push('model');
        return model;
      },
      startLoader: (settings) => ({
        ...inProcess.startLoader(settings),
        close: async () => void closed.push('loader'),
      }),
    };
    await expect(collect(tinyRun(), options)).rejects.toThrow('engine');
    expect(closed).toEqual(['loader', 'model']);
  });
});

describe('a run that is stopped', () => {
  it('writes nothing where it has not begun', async () => {
    const folder = tinyRun();
    expect(await collect(folder, { stopped: () => true })).toEqual([]);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });

  it('keeps the last step', async () => {
    const folder = tinyRun();
    let stop = false;
    const config = await loadConfig(join(folder, 'config.yaml'));
    const options = { overwrite: false, stopped: () => stop, compile, startLoader: inProcess.startLoader };
    for await (const event of run(config, options)) stop ||= event.type === 'step' && event.step === 2;
    expect(lines(folder).map(({ type }) => type)).toEqual(['baseline', 'step', 'step', 'finish']);
    expect(lines(folder).at(-1)).toMatchObject({ status: 'stopped', step: 2 });
    expect(record(folder).status).toBe('stopped');
    expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });
});
