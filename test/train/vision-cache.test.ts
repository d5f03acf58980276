/** Whole runs and single steps with what the vision tower made of pictures kept and not kept: no byte may differ. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { CacheConfig } from '../../src/config/schema.ts';
import { openDataset } from '../../src/data/dataset.ts';
import { PrefixFinder } from '../../src/data/shared-prefix.ts';
import { type EvaluatedEvent, evaluate } from '../../src/evaluate/evaluate.ts';
import { compileStep } from '../../src/train/compile.ts';
import { createEncoder, encoderSettings } from '../../src/train/encoder.ts';
import type { FinishEvent, TrainEvent } from '../../src/train/events.ts';
import { type RunOptions, run } from '../../src/train/run.ts';
import { relativeL2 } from '../support/parity.ts';
import { inProcess, tinyRows, tinyRun } from './tiny-run.ts';

interface Told {
  events: TrainEvent[];
  /** Everything of steps and evaluations that time does not change. */
  figures: unknown[];
  finish: FinishEvent;
  notices: string[];
  decision(what: string): { value: unknown; reason: string } | undefined;
}

async function train(folder: string, set: string[] = [], options: Partial<RunOptions> = {}): Promise<Told> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: TrainEvent[] = [];
  for await (const event of run(config, { ...inProcess, overwrite: true, ...options })) events.push(event);
  const figures = events.flatMap((event) => {
    if (event.type === 'step') return [[event.step, event.loss, event.gradNorm]];
    if (event.type === 'evaluate' || event.type === 'baseline')
      return [[event.step, event.loss, event.train]];
    return [];
  });
  const start = events.find((event) => event.type === 'start');
  return {
    events,
    figures,
    finish: events.at(-1) as FinishEvent,
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.text] : [])),
    decision: (what) => start?.decisions.find((decision) => decision.what === what),
  };
}

const adapterOf = (folder: string) =>
  readFileSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'));
const cacheOf = (folder: string) => join(folder, 'cache');
const shelvesOf = (folder: string) => readdirSync(cacheOf(folder)).filter((name) => name !== 'weights');
const entriesOf = (folder: string) =>
  shelvesOf(folder).flatMap((shelf) =>
    readdirSync(join(cacheOf(folder), shelf))
      .filter((name) => name.endsWith('.entry'))
      .map((name) => join(cacheOf(folder), shelf, name)),
  );
/** Two pictures: the validation rows show them as well. */
const off = ['cache=off'];

describe('a run that keeps its pictures', () => {
  it('learns the same to the last byte without it, with it, in its second run and after damage', async () => {
    const folder = tinyRun();
    const without = await train(folder, off);
    const learned = adapterOf(folder);
    expect(existsSync(cacheOf(folder))).toBe(false);
    expect(without.finish.pictures!.computed).toBeGreaterThan(2);
    expect(without.notices).toEqual([]);
    expect(without.decision('vision cache')!.value).toBe('off');
    const computed = { computed: 2, fromDisk: 0, replaced: 0 };
    const cases: [string, string[], () => void, object][] = [
      ['in memory alone', ['cache.disk=off'], () => {}, computed],
      ['on disk, cold', [], () => {}, computed],
      ['on disk, warm', [], () => {}, { computed: 0, fromDisk: 2, replaced: 0 }],
      ['on disk alone', ['cache.memory=off'], () => {}, { computed: 0, fromMemory: 0, replaced: 0 }],
      [
        'damaged',
        [],
        () => void entriesOf(folder).forEach((file) => void damage(file)),
        { computed: 2, fromDisk: 0, replaced: 2 },
      ],
      ['mended', [], () => {}, { computed: 0, fromDisk: 2, replaced: 0 }],
      ['removed', [], () => rmSync(cacheOf(folder), { recursive: true }), computed],
    ];
    for (const [name, set, before, facts] of cases) {
      before();
      const told = await train(folder, set);
      expect(told.figures, name).toEqual(without.figures);
      expect(adapterOf(folder).equals(learned), name).toBe(true);
      expect(told.finish.pictures, name).toMatchObject(facts);
      expect(told.notices.length, name).toBe(name === 'damaged' ? 1 : 0);
    }
    expect(entriesOf(folder)).toHaveLength(2);
  });

  it('computes each picture once in two epochs and their evaluations', async () => {
    const folder = tinyRun();
    const { finish, decision } = await train(folder);
    const { computed, fromMemory, fromDisk } = finish.pictures!;
    expect([computed, fromDisk]).toEqual([2, 0]);
    expect(fromMemory).toBeGreaterThan(2);
    expect(decision('pictures known')).toMatchObject({ value: '0 of 2' });
    const kept = decision('vision cache')!;
    expect(kept.value).toBe('f32');
    expect(kept.reason).toContain(`up to 1 GB in memory and 20 GB in ${cacheOf(folder)}`);
    expect((await train(folder)).decision('pictures known')).toMatchObject({ value: '2 of 2' });
  });

  it('in f16 learns the same in its first run and in later ones, and not what f32 learns', async () => {
    const folder = tinyRun();
    const exact = await train(folder);
    const first = await train(folder, ['cache=f16']);
    const learned = adapterOf(folder);
    const later = await train(folder, ['cache=f16']);
    expect([first.finish.pictures!.computed, later.finish.pictures!.computed]).toEqual([2, 0]);
    expect(later.figures).toEqual(first.figures);
    expect(adapterOf(folder).equals(learned)).toBe(true);
    expect(first.figures).not.toEqual(exact.figures);
    expect(first.decision('vision cache')!.reason).toContain('as f16 rounds it, also the first time');
    // Where nothing is kept the rounded numbers are used as well.
    const unkept = await train(folder, ['cache={ precision: f16, memory: off, disk: off }']);
    expect(unkept.figures).toEqual(first.figures);
  });

  it('does not look at pictures that it knows', async () => {
    const folder = tinyRun();
    const first = await train(folder);
    const pictures = ['a.png', 'b.png'].map((name) => join(folder, name));
    const whole = pictures.map((file) => readFileSync(file));
    let looked = 0;
    const startLoader: RunOptions['startLoader'] = (settings) => {
      for (const file of pictures) writeFileSync(file, 'no picture any more'); // the check has seen them by now
      const loader = inProcess.startLoader(settings);
      const load: typeof loader.load = (example, known) => {
        looked += (known ?? []).filter((image) => image === undefined).length;
        return loader.load(example, known);
      };
      return { ...loader, load };
    };
    // Without the pictures of scored rows, which a run folder keeps small copies of.
    const set = ['train.evaluateEvery=0', 'train.evaluateStart=false', 'data.validation=null'];
    const known = await train(folder, set, { startLoader });
    expect(looked).toBe(0);
    pictures.forEach((file, i) => void writeFileSync(file, whole[i]));
    const steps = ({ figures }: Told) => figures.filter((figure) => (figure as unknown[]).length === 3);
    expect(steps(known).map((figure) => (figure as number[])[1])).toEqual(
      first.events.flatMap((event) => (event.type === 'step' ? [event.loss] : [])),
    );
  });

  it('refuses a picture that changed since the check, and keeps nothing of it under what it held', async () => {
    const folder = tinyRun();
    const expected = await train(folder, off);
    const original = readFileSync(join(folder, 'a.png'));
    const startLoader: RunOptions['startLoader'] = (settings) => {
      copyFileSync(join(folder, 'b.png'), join(folder, 'a.png')); // between the check and the first step
      return inProcess.startLoader(settings);
    };
    await expect(train(folder, [], { startLoader })).rejects.toThrow('got other pixels');
    writeFileSync(join(folder, 'a.png'), original);
    expect((await train(folder)).figures).toEqual(expected.figures);
  });
});

it('gives packs the gradients of separate samples, to the same byte wherever their pictures came from', async () => {
  const folder = tinyRun();
  const { config } = await loadConfig(join(folder, 'config.yaml'));
  const encoder = await createEncoder(encoderSettings(config));
  const dataset = await openDataset(config.data.train, { name: 'train' });
  const load = () => Promise.all(tinyRows.map(async (_, row) => encoder.load(await dataset.example(row))));
  const packed = async () => {
    const finder = new PrefixFinder();
    const samples = await load();
    for (const { encoded, images } of samples) finder.add(encoded, [images[0].content]);
    const prefixes = finder.prefixes();
    return samples.map((sample, i) => ({ ...sample, prefix: prefixes[i] }));
  };
  const address = { seed: 1, step: 1 };
  // B of a fresh adapter is zero, and with it every gradient of A: this one was trained for some steps.
  await train(folder, ['cache=off']);
  const open = (cache: CacheConfig) =>
    compileStep({
      modelDir: config.model,
      adapterDir: join(folder, 'run', 'adapter'),
      recompute: true,
      threads: 1,
      seed: 1,
      cache,
    });
  const steps = [
    await open({ ...config.cache, memory: 'off', disk: 'off' }),
    await open(config.cache), // cold, and then from memory
  ];
  const [without, cold] = [
    await steps[0].gradients(await packed(), address),
    await steps[1].gradients(await packed(), address),
  ];
  const warm = await steps[1].gradients(await packed(), address);
  const later = await open(config.cache);
  const read = await later.gradients(await packed(), address);
  for (const found of [cold, warm, read]) expect(found).toEqual(without);
  expect(steps[1].vision!.embedder.facts).toMatchObject({ computed: 2, fromMemory: 2, fromDisk: 0 });
  expect(later.vision!.embedder.facts).toMatchObject({ computed: 0, fromDisk: 2 });
  const sum = new Map<string, Float64Array>();
  for (const sample of await load()) {
    const { gradients } = await later.gradients([sample], address);
    for (const [name, values] of gradients)
      sum.set(
        name,
        (sum.get(name) ?? new Float64Array(values.length)).map((value, i) => value + values[i]),
      );
  }
  expect(sum.size).toBe(read.gradients.size);
  for (const [name, values] of read.gradients)
    expect(relativeL2(values, sum.get(name)!), name).toBeLessThan(1e-5);
  for (const step of [...steps, later]) await step.close();
});

describe('what an entry depends on', () => {
  /** The entries of two runs: the same files, or other ones. */
  async function shared(folder: string, set: string[], before = () => {}): Promise<string> {
    await train(folder, ['train.maxSteps=1']);
    const first = entriesOf(folder);
    before();
    const { finish, decision } = await train(folder, ['train.maxSteps=1', ...set]);
    const beside = decision('entries not used') ? 'others beside' : 'none beside';
    const added = entriesOf(folder).length - first.length;
    return `${finish.pictures!.computed} computed, ${added} added, ${beside}`;
  }

  it('is the picture in its size for the model: other pixel limits matter where they change that', async () => {
    const folder = tinyRun();
    const noise = Buffer.from(Array.from({ length: 84 * 84 * 3 }, (_, i) => (i * i * 31) % 251));
    const large = sharp(noise, { raw: { width: 84, height: 84, channels: 3 } });
    writeFileSync(join(folder, 'a.png'), await large.png().toBuffer()); // 56 x 56 for the model; b.png is small
    expect(await shared(folder, ['image.maxPixels=3200'])).toBe('0 computed, 0 added, none beside');
    expect(await shared(folder, ['image.maxPixels=7056'])).toBe('1 computed, 1 added, none beside');
    expect(await shared(folder, ['image.minPixels=3136'])).toBe('1 computed, 1 added, none beside');
  });

  it('is the precision', async () => {
    expect(await shared(tinyRun(), ['cache.precision=f16'])).toBe('2 computed, 2 added, none beside');
  });

  it('is the number of threads, which decides the last bits', async () => {
    expect(await shared(tinyRun(), ['train.threads=2'])).toBe('2 computed, 2 added, others beside');
  });

  it('is the bytes of the vision weights, and no others', async () => {
    const folder = tinyRun();
    const weights = join(folder, 'model', 'model.safetensors');
    const { tensors } = headerOf(weights);
    const visual = Object.keys(tensors).find((name) => name.includes('merger.mlp.2.bias'))!;
    const text = Object.keys(tensors).find((name) => name.includes('layers.0.input_layernorm'))!;
    expect(await shared(folder, [], () => changeFloat(weights, visual))).toBe(
      '2 computed, 2 added, none beside',
    );
    expect(await shared(folder, [], () => changeFloat(weights, text))).toBe(
      '0 computed, 0 added, none beside',
    );
  });

  it('is not where the model stands, nor what is trained of the decoder', async () => {
    const folder = tinyRun();
    await train(folder, ['train.maxSteps=1']);
    cpSync(join(folder, 'model'), join(folder, 'copy'), { recursive: true });
    const set = ['model=copy', 'lora.rank=2', 'lora.targetModules=[q_proj]'];
    const { finish } = await train(folder, ['train.maxSteps=1', ...set]);
    expect(finish.pictures).toMatchObject({ computed: 0, fromDisk: 2 });
  });
});

describe('a vision tower that is trained', () => {
  it.each([
    ['by LoRA', ['lora.targetModules=[qkv]']],
    ['whole', ['full.parameters=[merger.mlp.2.weight]']],
  ])('%s keeps nothing, and the run says why', async (_, set) => {
    const folder = tinyRun();
    const { finish, decision } = await train(folder, ['train.maxSteps=1', ...set]);
    expect(decision('vision cache')).toEqual({
      what: 'vision cache',
      value: 'off',
      reason: 'the vision tower is trained: what it makes of a picture changes with every step',
    });
    expect(finish.pictures).toBeUndefined();
    expect(existsSync(cacheOf(folder))).toBe(false);
  });
});

describe('a cache that does not do what it should', () => {
  it('stops no run where its folder cannot be made, and is named once', async () => {
    const folder = tinyRun();
    const expected = await train(folder, off);
    writeFileSync(cacheOf(folder), 'a file');
    const { figures, notices, finish } = await train(folder);
    expect(figures).toEqual(expected.figures);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`Nothing more is written to the cache ${cacheOf(folder)}`);
    expect(finish.pictures).toMatchObject({ computed: 2, fromDisk: 0 });
  });

  it('of too little room computes the rest again, and says so', async () => {
    const folder = tinyRun();
    const expected = await train(folder, off);
    const { figures, notices, finish } = await train(folder, ['cache.memory=300B', 'cache.disk=off']);
    expect(figures).toEqual(expected.figures);
    expect(finish.pictures!.computed).toBeGreaterThan(2);
    expect(notices.filter((text) => text.includes('The cache is full'))).toHaveLength(1);
  });

  it('serves two runs at once', async () => {
    const folder = tinyRun();
    const expected = await train(folder, off);
    const both = await Promise.all(['one', 'two'].map((name) => train(folder, [`output=${name}`])));
    for (const { figures, notices } of both) {
      expect(figures).toEqual(expected.figures);
      expect(notices).toEqual([]);
    }
    expect(entriesOf(folder)).toHaveLength(2);
  });
});

describe('an evaluation', () => {
  it('gives the same with kept pictures, cold and warm, and shares them with training', async () => {
    const folder = tinyRun();
    const told = async (set: string[] = []) => {
      const config = await loadConfig(join(folder, 'config.yaml'), { set });
      const options = { maxNewTokens: 4, adapter: 'base', split: 'train' as const };
      let last: EvaluatedEvent | undefined;
      for await (const event of evaluate(config, options)) if (event.type === 'evaluated') last = event;
      return last!.predictions;
    };
    mkdirSync(join(folder, 'run'));
    const without = await told(off);
    expect(await told(['cache.disk=off'])).toEqual(without);
    expect(await told()).toEqual(without);
    expect(entriesOf(folder)).toHaveLength(2);
    expect(await told()).toEqual(without);
    rmSync(join(folder, 'run'), { recursive: true });
    expect((await train(folder)).finish.pictures!.computed).toBe(0);
  });
});

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 3] ^= 1;
  writeFileSync(file, bytes);
}

function headerOf(file: string) {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const tensors: Record<string, { data_offsets: [number, number] }> = JSON.parse(
    bytes.subarray(8, 8 + length).toString(),
  );
  return { tensors, start: 8 + length, bytes };
}

function changeFloat(file: string, tensor: string): void {
  const { tensors, start, bytes } = headerOf(file);
  bytes[start + tensors[tensor].data_offsets[0]] ^= 1;
  writeFileSync(file, bytes);
}
