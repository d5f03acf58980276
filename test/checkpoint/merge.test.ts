/** Merged folders held against PEFT's merge_and_unload, against exact arithmetic, and against base + adapter. */
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeFullCheckpoint } from '../../src/checkpoint/full.ts';
import { merge } from '../../src/checkpoint/merge.ts';
import type { MergeProgress } from '../../src/checkpoint/merge-report.ts';
import { bf16ToF32, f16ToF32 } from '../../src/dtype.ts';
import { allTensors, openShards } from '../../src/formats/checkpoint-folder.ts';
import { readTensor, readTensorBytes } from '../../src/formats/safetensors.ts';
import { loadModelConfig } from '../../src/models/qwen2-vl/config.ts';
import {
  canonicalName,
  hubName,
  openModelWeights,
  parameterTable,
} from '../../src/models/qwen2-vl/weights.ts';
import { compileStep } from '../../src/train/compile.ts';
import { compileSteps } from '../../src/train/compiled-step.ts';
import { frozenParameters } from '../../src/train/parameters.ts';
import { oldName } from '../support/checkpoint.ts';
import { decode, largestDifferenceOverLargest, type Stored, samplesOf } from '../support/parity.ts';
import { around } from '../support/seeded.ts';
import {
  adapterTensors,
  loadMergedCase,
  type MergedCase,
  mergedCases,
  writeMergedCase,
} from './merged-case.ts';

const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-merge-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;

const folders = (parity: MergedCase) => writeMergedCase(path.join(root, String(count++)), parity);

describe.each(mergedCases)('merging %s', (name) => {
  const parity = loadMergedCase(name);
  const { dtype, naming } = parity.checkpoint;
  const stored = (canonical: string) => (naming === 'old' ? oldName(canonical) : canonical);

  it('keeps files, names, types and every tensor that the adapter leaves alone', async () => {
    const { model, adapter } = await folders(parity);
    const output = path.join(root, `${name}-layout`);
    const report = await merge({ model, adapter, output });
    const [base, merged] = [await openShards(model), await openShards(output)];
    expect(report.files).toEqual([...base.keys()]);
    expect([...merged.keys()].sort()).toEqual([...base.keys()].sort());
    let bytes = 0;
    for (const [file, tensors] of base) {
      const found = merged.get(file)!;
      expect([...found.keys()].sort()).toEqual([...tensors.keys()].sort());
      for (const [tensor, location] of tensors) {
        const copy = found.get(tensor)!;
        bytes += copy.byteLength;
        expect([copy.dtype, copy.shape]).toEqual([dtype, location.shape]);
        const same = Buffer.compare(await readTensorBytes(location), await readTensorBytes(copy)) === 0;
        expect(same, tensor).toBe(!Object.keys(parity.merged).includes(canonicalName(tensor)));
      }
    }
    expect(report).toMatchObject({ bytes, dtypes: [dtype], untrained: [] });
    expect(report.modules.map((module) => module.name).sort()).toEqual(parity.lora.modules);
    const files = readdirSync(output).sort();
    expect(files).toEqual(
      readdirSync(model)
        .filter((file) => file !== 'notes.txt')
        .sort(),
    );
    for (const file of files.filter((file) => !/safetensors/.test(file)))
      expect(readFileSync(path.join(output, file))).toEqual(readFileSync(path.join(model, file)));
    if (base.size === 1) return;
    const index = JSON.parse(readFileSync(path.join(output, 'model.safetensors.index.json'), 'utf8'));
    expect(index.metadata).toEqual({ total_size: bytes });
    for (const [file, tensors] of base)
      for (const tensor of tensors.keys()) expect(index.weight_map[tensor]).toBe(file);
  });

  it('stores W + scale B A, rounded once to the nearest, and within a rounding of what PEFT stores', async () => {
    const { model, adapter } = await folders(parity);
    const output = path.join(root, `${name}-values`);
    await merge({ model, adapter, output });
    const [base, merged] = [allTensors(await openShards(model)), allTensors(await openShards(output))];
    for (const [weight, peft] of Object.entries(parity.merged)) {
      const found = await readTensor(merged.get(stored(weight))!);
      const exact = exactMerge(parity, weight, await readTensor(base.get(stored(weight))!));
      const theirs = decodeBits(peft, dtype);
      // PEFT's update is an f32 sum: where its terms cancel, the error of the largest is left over.
      const sums = spacing(Math.max(...exact.map(Math.abs)), 'f32');
      found.forEach((value, i) => {
        expect(Math.abs(value - exact[i]), `${weight} ${i}`).toBeLessThanOrEqual(
          0.5 * (1 + 1e-6) * spacing(exact[i], dtype),
        );
        expect(Math.abs(value - theirs[i]), `${weight} ${i}`).toBeLessThanOrEqual(
          Math.max(sums, spacing(exact[i], dtype)),
        );
      });
    }
  });

  it('answers as base + adapter do, in PEFT and here', async () => {
    const { model, adapter } = await folders(parity);
    const output = path.join(root, `${name}-logits`);
    await merge({ model, adapter, output, dtype: 'f32' });
    const together = await compileStep({
      modelDir: model,
      adapterDir: adapter,
      recompute: false,
      threads: 1,
      seed: 1,
    });
    const alone = await openFolder(output);
    const samples = samplesOf(parity);
    const [theirs, ours] = [await together.evaluate(samples), await alone.evaluate(samples)];
    samples.forEach((_, i) => {
      const expected = lossesOf(parity.samples[i]);
      expect(largestDifferenceOverLargest(ours[i].losses, expected)).toBeLessThan(1e-5);
      expect(largestDifferenceOverLargest(ours[i].losses, theirs[i].losses)).toBeLessThan(1e-5);
    });
    await together.close();
    await alone.close();
  });
});

describe('merge', () => {
  it('stores another type where asked, and says so in config.json', async () => {
    const { model, adapter } = await folders(loadMergedCase('f32-sharded-new'));
    const output = path.join(root, 'as-bf16');
    const report = await merge({ model, adapter, output, dtype: 'bf16' });
    expect(report.dtypes).toEqual(['bf16']);
    expect(JSON.parse(readFileSync(path.join(output, 'config.json'), 'utf8')).torch_dtype).toBe('bfloat16');
    const [base, merged] = [allTensors(await openShards(model)), allTensors(await openShards(output))];
    const norm = 'model.language_model.norm.weight';
    const [before, after] = [await readTensor(base.get(norm)!), await readTensor(merged.get(norm)!)];
    after.forEach((value, i) => {
      expect(Math.abs(value - before[i])).toBeLessThanOrEqual(0.5 * spacing(before[i], 'bf16'));
    });
  });

  it('divides the weights anew where asked', async () => {
    const { model, adapter } = await folders(loadMergedCase('bf16-tied-old'));
    const output = path.join(root, 'divided');
    const limit = 20_000;
    const report = await merge({ model, adapter, output, maxShardSize: limit });
    const shards = await openShards(output);
    expect(report.files.length).toBeGreaterThan(3);
    expect(report.files[0]).toBe(
      `model-00001-of-${String(report.files.length).padStart(5, '0')}.safetensors`,
    );
    for (const tensors of shards.values()) {
      const bytes = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(bytes <= limit || tensors.size === 1).toBe(true);
    }
    const whole = path.join(root, 'whole');
    const { files } = await merge({ model, adapter, output: whole, maxShardSize: 1e9 });
    expect(files).toEqual(['model.safetensors']);
    expect(readdirSync(whole)).not.toContain('model.safetensors.index.json');
    const [one, many] = [allTensors(await openShards(whole)), allTensors(shards)];
    expect([...one.keys()].sort()).toEqual([...many.keys()].sort());
    for (const [name, location] of one)
      expect(await readTensorBytes(location)).toEqual(await readTensorBytes(many.get(name)!));
  });

  it('says what rounding made of the update', async () => {
    const parity = loadMergedCase('bf16-tied-old');
    const { model, adapter } = await folders(parity);
    const output = path.join(root, 'rounding');
    const { rounding } = await merge({ model, adapter, output });
    const [base, merged] = [allTensors(await openShards(model)), allTensors(await openShards(output))];
    let [error, update, changed, unmoved] = [0, 0, 0, 0];
    for (const weight of Object.keys(parity.merged)) {
      const before = await readTensor(base.get(oldName(weight))!);
      const after = await readTensor(merged.get(oldName(weight))!);
      exactMerge(parity, weight, before).forEach((exact, i) => {
        error += (after[i] - exact) ** 2;
        update += (exact - before[i]) ** 2;
        changed++;
        if (after[i] === before[i]) unmoved++;
      });
    }
    expect(rounding!.relativeError).toBeCloseTo(Math.sqrt(error / update), 10);
    expect(rounding!.unmoved).toBe(unmoved / changed);
    expect(rounding!.relativeError).toBeGreaterThan(1e-3);
    const { rounding: exact } = await merge({
      model,
      adapter,
      output: path.join(root, 'kept'),
      dtype: 'f32',
    });
    expect(exact!.relativeError).toBeLessThan(1e-6);
  });

  it('reads adapters of every naming, beside a base of either', async () => {
    const fixtures = 'test/fixtures/adapters';
    const config = await loadModelConfig(`${fixtures}/base`);
    const parameters = parameterTable(config).map(({ name, shape }) => ({
      name,
      shape,
      data: around(
        [5, name],
        shape.reduce((product, size) => product * size, 1),
        0.3,
      ),
    }));
    const weights = async (adapter: string, storedName: (name: string) => string) => {
      const base = path.join(root, String(count++));
      const output = path.join(root, String(count++));
      await writeFullCheckpoint(base, { base: `${fixtures}/base`, dtype: 'f32', parameters, storedName });
      await merge({ model: base, adapter: `${fixtures}/${adapter}`, output });
      const located = allTensors(await openShards(output));
      const entries = [...located].map(
        async ([name, location]) => [name, await readTensorBytes(location)] as const,
      );
      return new Map(await Promise.all(entries));
    };
    const [modern, old] = [await weights('all-linear', (name) => name), await weights('old-stems', hubName)];
    expect(modern.size).toBe(parameters.length);
    for (const [name, bytes] of modern) expect(old.get(hubName(name)), name).toEqual(bytes);
    const [plain, infix] = [await weights('decoder', hubName), await weights('default-infix', hubName)];
    expect(infix).toEqual(plain);
    expect(infix).not.toEqual(old);
  });

  it('reads a base that is links into the cache of the hub, and writes files', async () => {
    const { model, adapter } = await folders(loadMergedCase('bf16-tied-old'));
    const cache = path.join(root, 'cache');
    mkdirSync(path.join(cache, 'snapshots', 'f00'), { recursive: true });
    mkdirSync(path.join(cache, 'blobs'));
    readdirSync(model).forEach((name, i) => {
      copyFileSync(path.join(model, name), path.join(cache, 'blobs', `blob${i}`));
      symlinkSync(`../../blobs/blob${i}`, path.join(cache, 'snapshots', 'f00', name));
    });
    const [output, linked] = [path.join(root, 'plain'), path.join(root, 'linked')];
    await merge({ model, adapter, output });
    await merge({ model: path.join(cache, 'snapshots', 'f00'), adapter, output: linked });
    expect(readdirSync(linked)).toEqual(readdirSync(output));
    for (const name of readdirSync(linked)) {
      expect(lstatSync(path.join(linked, name)).isFile()).toBe(true);
      expect(readFileSync(path.join(linked, name))).toEqual(readFileSync(path.join(output, name)));
    }
  });

  it('leaves files that can be written, also where those of the base cannot', async () => {
    const { model, adapter } = await folders(loadMergedCase('f16-rslora'));
    chmodSync(path.join(model, 'tokenizer.json'), 0o444);
    const output = path.join(root, 'writable');
    await merge({ model, adapter, output });
    expect(statSync(path.join(output, 'tokenizer.json')).mode & 0o200).toBe(0o200);
  });

  it('says which folder a program without types left out', async () => {
    const { model, adapter } = await folders(loadMergedCase(mergedCases[0]));
    const given = { model, adapter, output: path.join(root, 'unnamed') };
    for (const name of ['model', 'adapter', 'output'] as const)
      await expect(merge({ ...given, [name]: undefined as never })).rejects.toThrow(
        new RegExp(`^${name} expected a folder.*got undefined`),
      );
  });

  it('tells its progress to the last byte', async () => {
    const { model, adapter } = await folders(loadMergedCase('f16-rslora'));
    const told: MergeProgress[] = [];
    await merge({
      model,
      adapter,
      output: path.join(root, 'told'),
      onProgress: (progress) => told.push(progress),
    });
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual(['check', 'write', 'verify']);
    expect(told.at(-1)).toMatchObject({ bytes: told[0].totalBytes, secondsLeft: 0 });
    const bytes = told.map((progress) => progress.bytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
  });
});

/** W + scale B A in f64, from the seed's adapter; the sum over ranks from first to last. */
function exactMerge(parity: MergedCase, weight: string, base: Float32Array): Float64Array {
  const tensors = adapterTensors(parity);
  const module = weight.replace(/\.weight$/, '');
  const a = tensors.get(`base_model.model.${module}.lora_A.weight`)!;
  const b = tensors.get(`base_model.model.${module}.lora_B.weight`)!;
  const [rank, columns] = a.shape;
  return Float64Array.from(base, (value, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += b.values[row * rank + r] * a.values[r * columns + column];
    return value + parity.lora.scale * sum;
  });
}

/** Distance between neighbouring numbers of the type around x: 2^(exponent - fraction bits). */
function spacing(x: number, dtype: 'f32' | 'f16' | 'bf16'): number {
  const [fraction, least] = { f32: [23, -126], f16: [10, -14], bf16: [7, -126] }[dtype];
  const exponent = x === 0 ? least : Math.max(least, Math.floor(Math.log2(Math.abs(x))));
  return 2 ** (exponent - fraction);
}

function decodeBits({ data }: Stored, dtype: 'f32' | 'f16' | 'bf16'): Float32Array {
  const { buffer } = new Uint8Array(Buffer.from(data, 'base64'));
  if (dtype === 'f32') return new Float32Array(buffer);
  return dtype === 'f16' ? f16ToF32(new Uint16Array(buffer)) : bf16ToF32(new Uint16Array(buffer));
}

/** Cross-entropies of PEFT's logits at the rows that predict labels, in f64. */
function lossesOf({ ids, rows, logits }: MergedCase['samples'][number]): number[] {
  const values = decode(logits);
  const words = logits.shape[1];
  return rows.map((row, n) => {
    const line = [...values.subarray(n * words, (n + 1) * words)];
    return Math.log(line.reduce((sum, logit) => sum + Math.exp(logit), 0)) - line[ids[row + 1]];
  });
}

async function openFolder(dir: string) {
  const config = await loadModelConfig(dir);
  const parameters = frozenParameters(config, await openModelWeights(dir, config));
  return compileSteps({ config, parameters, lora: new Map(), recompute: false }, [], {
    target: 'cpu',
    threads: 1,
  });
}
