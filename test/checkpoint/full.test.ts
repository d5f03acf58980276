import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeFullCheckpoint } from '../../src/checkpoint/full.ts';
import { readTensor } from '../../src/formats/safetensors.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../../src/models/qwen2-vl/config.ts';
import { hubName, openModelWeights, parameterTable } from '../../src/models/qwen2-vl/weights.ts';

let dir: string;
let base: string;
let config: Qwen2VLConfig;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'full-'));
  base = path.join(dir, 'base');
  await mkdir(base);
  await writeFile(path.join(base, 'config.json'), await readFile('test/fixtures/adapters/base/config.json'));
  for (const name of ['tokenizer.json', 'chat_template.jinja', 'notes.txt']) {
    await writeFile(path.join(base, name), name);
  }
  config = await loadModelConfig(base);
});

const parameters = () =>
  parameterTable(config).map(({ name, shape }, i) => ({
    name,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(i + 0.1),
  }));

describe('writeFullCheckpoint', () => {
  it.each([
    ['f32', 0.1, 'float32'],
    ['f16', 0.0999755859375, 'float16'],
    ['bf16', 0.10009765625, 'bfloat16'],
  ] as const)('writes a folder that opens again, in %s', async (dtype, first, torchName) => {
    const out = path.join(dir, `out-${dtype}`);
    await writeFullCheckpoint(out, { base, dtype, parameters: parameters(), storedName: hubName });
    expect((await readdir(out)).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    const written = await loadModelConfig(out);
    expect(written).toEqual({ ...config, dtype });
    expect(await readFile(path.join(out, 'config.json'), 'utf8')).toContain(torchName);
    const located = await openModelWeights(out, written);
    expect(located.size).toBe(parameters().length);
    const location = located.get(parameterTable(config)[0].name)!;
    expect(location.dtype).toBe(dtype);
    expect((await readTensor(location))[0]).toBe(Math.fround(first));
  });

  it('replaces a model and nothing else', async () => {
    const checkpoint = { base, dtype: 'f32' as const, parameters: parameters(), storedName: hubName };
    const out = path.join(dir, 'out-f32');
    await writeFullCheckpoint(out, checkpoint);
    const thesis = path.join(dir, 'thesis');
    await mkdir(thesis);
    await writeFile(path.join(thesis, 'thesis.tex'), 'x');
    await expect(writeFullCheckpoint(thesis, checkpoint)).rejects.toThrow(
      'holds something else than a model',
    );
  });
});
