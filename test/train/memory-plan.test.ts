/** What a run will hold, how it is cut to fit, and what is said where it does not: on tiny models, whose graphs are real. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { sharp } from '../../src/data/image/sharp.ts';
import { checkMemory, memoryWarnings, withCutOf } from '../../src/train/memory-plan.ts';
import { plannedRun } from './planned-run.ts';
import { tinyRows, tinyRun } from './tiny-run.ts';

const long = { ...tinyRows[0], answer: 'Yes, there is a polyp. '.repeat(20) };
const rows = [...tinyRows, long];

describe('what a run needs', () => {
  it('grows with the tokens that run together', async () => {
    const folder = tinyRun({ rows: Array.from({ length: 12 }, (_, i) => rows[i % 5]) });
    const { planner } = await plannedRun(folder, {
      set: ['pack.shareImages=false', 'train.gradientAccumulation=12'],
    });
    const needs = [64, 128, 256, 512].map((maxTokens) =>
      planner.need({ recompute: true, maxTokens, cacheMemory: 0 }),
    );
    const activations = needs.map((need) => need.activations);
    expect(activations).toEqual([...activations].sort((a, b) => a - b));
    expect(activations[3]).toBeGreaterThan(activations[0]);
  });

  it('is less where activations are computed again, and more beside an evaluation', async () => {
    const { planner, cut } = await plannedRun(tinyRun({ rows: [long, long] }));
    const [again, kept] = [true, false].map((recompute) => planner.need({ ...cut, recompute }));
    expect(again.activations).toBeLessThan(kept.activations);
    const alone = await plannedRun(tinyRun({ rows: [long, long] }), { set: ['data.validation=~'] });
    expect(again.evaluation).toBeGreaterThan(0);
    expect(alone.need.evaluation).toBe(0);
  });

  it('counts 4 bytes of values and 12 of the optimizer for each trained number', async () => {
    const { need, model } = await plannedRun(tinyRun(), {
      set: ['lora.targetModules=[q_proj]', 'lora.rank=2'],
    });
    const { hiddenSize, heads, headDim, layers } = model.config.text;
    const numbers = layers * 2 * (hiddenSize + heads * headDim);
    expect(model.trainedNumbers).toBe(numbers);
    expect([need.trained, need.optimizer]).toEqual([4 * numbers, 12 * numbers]);
  });

  it('holds the vision tower in its own graph or inside the training graph, never in both', async () => {
    const frozen = await plannedRun(tinyRun());
    const trained = await plannedRun(tinyRun(), { set: ['lora.targetModules=all-linear'] });
    expect(frozen.need.vision).toBeGreaterThan(0);
    expect(trained.need.vision).toBe(0);
    expect(trained.need.activations).toBeGreaterThan(frozen.need.activations);
  });

  it('keeps what the tower made of each different picture, as far as cache.memory has room', async () => {
    const { need, model, planner } = await plannedRun(tinyRun());
    // Two pictures of one token each, in f32.
    expect(need.cache).toBe(2 * 4 * model.config.text.hiddenSize);
    expect(planner.keptBytes).toBe(need.cache);
    const halves = await plannedRun(tinyRun(), { set: ['cache=f16'] });
    expect(halves.need.cache).toBe(need.cache / 2);
    const little = await plannedRun(tinyRun(), { set: ['cache.memory=100'] });
    expect(little.need.cache).toBe(100);
  });

  it('counts the graph that answers only where rows are answered', async () => {
    const without = await plannedRun(tinyRun());
    const asked = await plannedRun(tinyRun(), { set: ['train.evaluateAnswers=2'] });
    expect(without.need.answers).toBe(0);
    expect(asked.need.answers).toBeGreaterThan(0);
    expect(asked.need.activations).toBe(without.need.activations);
  });

  it('is the sum of its parts', async () => {
    const { need } = await plannedRun(tinyRun());
    const { total, ...parts } = need;
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
  });

  it('is the same without the weights, if they are what config.json says', async () => {
    const folder = tinyRun({ model: { dtype: 'float32' } });
    const there = await plannedRun(folder);
    rmSync(join(folder, 'model/model.safetensors'));
    const away = await plannedRun(folder);
    expect(away.model.assumedDtype).toBe('f32');
    expect(there.model.assumedDtype).toBeUndefined();
    expect(away.need).toEqual(there.need);
    expect(away.model.weights.bytes).toBe(there.model.weights.bytes);
  });
});

describe('memory: picks', () => {
  const folder = () =>
    tinyRun({ rows: Array.from({ length: 24 }, () => long), train: { gradientAccumulation: 12 } });
  const limits = async () => {
    const { planner } = await plannedRun(folder());
    const total = (recompute: boolean, maxTokens: number) =>
      planner.need({ recompute, maxTokens, cacheMemory: 1e9 }).total;
    return { kept: total(false, 1024), again: total(true, 1024), short: total(true, 512) };
  };
  const picked = async (bytes: number, ...set: string[]) => {
    const plan = await plannedRun(folder(), { set: [`memory=${bytes}`, ...set] });
    return { ...plan, told: plan.decisions.map(({ what, value }) => [what, value]) };
  };

  it('the activations kept where they fit', async () => {
    const { kept } = await limits();
    const { cut, told, need, refusal } = await picked(kept);
    expect(refusal).toBeUndefined();
    expect(cut).toMatchObject({ recompute: false, maxTokens: 1024 });
    expect(need.total).toBe(kept);
    expect(told).toEqual([
      ['train.recompute', false],
      ['pack.maxTokens', 1024],
      ['memory needed', kept],
    ]);
  });

  it('recompute where they do not, with the number that did not fit', async () => {
    const { kept, again } = await limits();
    const { cut, decisions } = await picked(kept - 1);
    expect(cut).toMatchObject({ recompute: true, maxTokens: 1024 });
    expect(decisions[0]).toMatchObject({ what: 'train.recompute', value: true });
    expect(decisions[0].reason).toMatch(/^keeping activations needs \d+(\.\d+)? MB, memory \d+(\.\d+)? MB$/);
    expect(again).toBeLessThan(kept);
  });

  it('fewer tokens a run where that is not enough', async () => {
    const { short, again } = await limits();
    expect(short).toBeLessThan(again);
    const { cut, decisions, need } = await picked(short);
    expect(cut.recompute).toBe(true);
    expect(cut.maxTokens).toBeLessThan(1024);
    expect(need.total).toBeLessThanOrEqual(short);
    expect(decisions[1]).toMatchObject({ what: 'pack.maxTokens', value: cut.maxTokens });
    expect(decisions[1].reason).toMatch(/^\d+ tokens a run needs/);
  });

  it('nothing that was written', async () => {
    const { kept, again } = await limits();
    const written = await picked(again, 'train.recompute=true', 'pack.maxTokens=1024');
    expect(written.told).toEqual([['memory needed', again]]);
    const refused = await picked(kept - 1, 'train.recompute=false', 'pack.maxTokens=1024');
    expect(refused.refusal).toMatchObject({
      what: expect.stringMatching(/^the run needs .* of memory, memory has /),
      fix: expect.stringMatching(/^train\.recompute: true fits: /),
    });
  });

  it('no more than the machine has, whatever it says', async () => {
    const { again } = await limits();
    const plan = await plannedRun(folder(), { set: ['memory=64GB'], available: again });
    expect(plan.limit).toEqual({ bytes: again, from: 'machine' });
    expect(plan.cut.recompute).toBe(true);
  });
});

describe('a run that does not fit', () => {
  it('on this machine is refused with the setting that would', async () => {
    const folder = tinyRun({
      rows: Array.from({ length: 24 }, () => long),
      train: { gradientAccumulation: 12 },
    });
    const set = ['train.recompute=false'];
    const { planner } = await plannedRun(folder, { set });
    const again = planner.need({ recompute: true, maxTokens: 1024, cacheMemory: 1e9 }).total;
    const plan = await plannedRun(folder, { set, available: again });
    expect(() => checkMemory(plan)).toThrow(
      expect.objectContaining({
        code: 'memory',
        what: expect.stringMatching(/this machine has .* left$/),
        fix: expect.stringMatching(/^train\.recompute: true fits: /),
      }),
    );
    // Nobody asked for a cut, so none was made.
    expect(plan.cut).toMatchObject({ recompute: false, maxTokens: 1024 });
  });

  it('names the row that is too large alone, with its place and its tokens', async () => {
    const huge = { ...tinyRows[0], answer: 'Yes, there is a polyp visible. '.repeat(250) };
    const folder = tinyRun({ rows: [tinyRows[0], tinyRows[1], huge, tinyRows[2]] });
    const small = await plannedRun(tinyRun());
    const { planner } = await plannedRun(folder);
    const bytes = (small.need.total + planner.needOfRow(planner.sizes.rows[2], true).total) / 2;
    const { refusal } = await plannedRun(folder, { set: [`memory=${Math.round(bytes)}`] });
    expect(refusal).toMatchObject({ row: 2, line: 3 });
    expect(refusal!.file).toMatch(/train\.jsonl$/);
    expect(refusal!.what).toMatch(
      new RegExp(
        `^its ${planner.sizes.rows[2].size.T} tokens, 1 of them of pictures, need .* of memory, memory has `,
      ),
    );
  });

  it.each(['train', 'validation'] as const)(
    'names the row whose picture is too large, also where its text is short: %s',
    async (split) => {
      const folder = tinyRun();
      await sharp({ create: { width: 1100, height: 900, channels: 3, background: 'navy' } })
        .png()
        .toFile(join(folder, 'large.png'));
      const rows = [tinyRows[0], { ...tinyRows[1], image: 'large.png' }, tinyRows[2]];
      const file = `${split}-large.jsonl`;
      writeFileSync(join(folder, file), rows.map((row) => JSON.stringify(row)).join('\n'));
      const set = ['image.maxPixels=1003520', `data.${split}=${file}`, 'train.gapRows=0'];
      const { need } = await plannedRun(folder, { set });
      const { refusal } = await plannedRun(folder, {
        set: [...set, `memory=${Math.round(need.total - need.vision / 2)}`],
      });
      expect(refusal).toMatchObject({ file: expect.stringContaining(file), row: 1, line: 2 });
      expect(refusal!.what).toMatch(
        /^its \d{4} tokens, \d{4} of them of pictures, need .* of memory, memory has /,
      );
      expect(refusal!.fix).toMatch(/^image\.maxPixels: \d+ .*fits: /);
    },
  );

  it('is told the pixels with which it would', async () => {
    const folder = tinyRun();
    await sharp({ create: { width: 1100, height: 900, channels: 3, background: 'navy' } })
      .png()
      .toFile(join(folder, 'a.png'));
    const set = ['image.maxPixels=1003520', 'data.validation=~'];
    const large = await plannedRun(folder, { set });
    const fewer = await plannedRun(folder, { set: [...set, 'image.maxPixels=200704'] });
    expect(fewer.need.total).toBeLessThan(large.need.total);
    const { refusal } = await plannedRun(folder, { set: [...set, `memory=${fewer.need.total}`] });
    const [, pixels] = /^image\.maxPixels: (\d+) /.exec(refusal!.fix!)!;
    const fits = await plannedRun(folder, {
      set: [...set, `memory=${fewer.need.total}`, `image.maxPixels=${pixels}`],
    });
    expect(Number(pixels)).toBeGreaterThanOrEqual(200704);
    // Nothing is asked for beside it that the run does not need.
    expect(refusal!.fix).toMatch(/^image\.maxPixels: \d+ fits: /);
    expect(fits.refusal).toBeUndefined();
  });

  it('is told what it needs at least where nothing would fit', async () => {
    const { refusal } = await plannedRun(tinyRun(), { set: ['memory=1MB'] });
    expect(refusal!.fix).toMatch(/^No cut of it fits; it needs \d+(\.\d+)? MB at least\.$/);
  });
});

it('says when mapped weights will not stay in memory beside the run', async () => {
  const plan = await plannedRun(tinyRun());
  expect(memoryWarnings(plan)).toEqual([]);
  const tight = {
    ...plan,
    machine: { total: 1e9, available: plan.need.total + plan.model.weights.bytes - 1 },
  };
  expect(memoryWarnings(tight)).toEqual([expect.stringContaining('read from the disk again at every step')]);
});

describe('a run that goes on', () => {
  const began = { train: { recompute: false }, pack: { maxTokens: 512 }, cache: { memory: 64e6 } };
  const words = async (...set: string[]) => {
    const loaded = await loadConfig(join(tinyRun(), 'config.yaml'), { set });
    return withCutOf(loaded, began);
  };

  it('is cut as it began, whatever would fit now', async () => {
    const { config, decisions } = await words('memory=2GB');
    expect([config.train.recompute, config.pack.maxTokens, config.cache.memory]).toEqual([false, 512, 64e6]);
    expect(decisions.filter(({ from }) => from === 'checkpoint').map(({ key }) => key)).toEqual([
      'train.recompute',
      'pack.maxTokens',
      'cache.memory',
    ]);
  });

  it('is cut as it says now where it says so, or where nothing was picked', async () => {
    const written = await words('memory=2GB', 'train.recompute=true');
    expect([written.config.train.recompute, written.config.pack.maxTokens]).toEqual([true, 512]);
    const plain = await words();
    expect(plain.decisions.some(({ from }) => from === 'checkpoint')).toBe(false);
    expect(plain.config.train.recompute).toBe(true);
  });
});
