/** Exported graphs, run by ONNX Runtime with what transformers.js feeds, held against the logits of transformers and PEFT. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportOnnx, type OnnxExportOptions } from '../../src/checkpoint/onnx-export.ts';
import { compileStep } from '../../src/train/compile.ts';
import {
  decode,
  type ForwardCase,
  type forwardCases,
  largestDifferenceOverLargest,
  loadForwardCase,
  samplesOf,
} from '../support/parity.ts';
import { writeCase } from '../support/parity-model.ts';
import { type ExportedModel, openExported } from './exported-model.ts';

const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-export-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

async function exported(parity: ForwardCase, options: Partial<OnnxExportOptions> = {}) {
  const dir = path.join(root, String(count++));
  const { modelDir, adapterDir } = await writeCase(parity, parity.gradients, dir);
  writeFileSync(path.join(modelDir, 'preprocessor_config.json'), '{ "min_pixels": 784, "max_pixels": 3136 }');
  const output = path.join(dir, 'out');
  const report = await exportOnnx({ model: modelDir, adapter: adapterDir, output, ...options });
  return { output, report, modelDir, adapterDir };
}

/** The words of a sample with the picture's vectors in their places, as transformers.js merges them. */
async function embeddingsOf(model: ExportedModel, parity: ForwardCase, i: number): Promise<Float32Array> {
  const { ids, grids } = parity.samples[i];
  const words = Float32Array.from(await model.embedTokens(ids));
  if (grids.length === 0) return words;
  const patches = samplesOf(parity)[i].images.flatMap(({ patches }) => [...patches!]);
  const pictures = await model.embedImages(Float32Array.from(patches), grids);
  const width = words.length / ids.length;
  let next = 0;
  ids.forEach((id, t) => {
    if (id !== parity.config.image_token_id) return;
    words.set(pictures.subarray(next * width, (next + 1) * width), t * width);
    next++;
  });
  return words;
}

/** The reference has logits at the rows that predict labels. */
function expectLogits(
  found: Float32Array,
  { rows, logits }: ForwardCase['samples'][number],
  first: number,
  bound: number,
) {
  const words = logits.shape[1];
  const expected = decode(logits);
  rows.forEach((row, n) => {
    if (row < first || (row - first + 1) * words > found.length) return;
    const line = found.subarray((row - first) * words, (row - first + 1) * words);
    const theirs = expected.subarray(n * words, (n + 1) * words);
    expect(largestDifferenceOverLargest(line, theirs), `row ${row}`).toBeLessThan(bound);
  });
}

const cases: (typeof forwardCases)[number][] = [
  'no-image',
  'two-images',
  'multi-turn',
  'gqa-wide',
  'mha-tied',
  'bf16-sharded-old',
  'f16',
  'vision-lora',
  'rslora',
  'full',
];

describe.each(cases)('%s as ONNX', (name) => {
  const parity = loadForwardCase(name);

  it('has the logits of base + adapter, at once and token by token', async () => {
    const { output } = await exported(parity);
    const model = await openExported(output);
    for (const [i, sample] of parity.samples.entries()) {
      const { ids, positions, rows } = sample;
      const embeddings = await embeddingsOf(model, parity, i);
      model.restart();
      expectLogits(await model.read(embeddings, positions), sample, 0, 1e-5);
      model.restart();
      const width = embeddings.length / ids.length;
      const part = (begin: number, end: number) =>
        model.read(
          embeddings.slice(begin * width, end * width),
          positions.map((axis) => axis.slice(begin, end)),
        );
      expectLogits(await part(0, rows[0] + 1), sample, 0, 1e-5);
      for (let t = rows[0] + 1; t < ids.length; t++) expectLogits(await part(t, t + 1), sample, t, 1e-5);
    }
    await model.close();
  });

  it.skipIf(parity.samples.every(({ imageFeatures }) => !imageFeatures))(
    "has the merger's image features",
    async () => {
      const { output } = await exported(parity);
      const model = await openExported(output);
      for (const [i, { grids, imageFeatures }] of parity.samples.entries()) {
        if (!imageFeatures) continue;
        const patches = Float32Array.from(samplesOf(parity)[i].images.flatMap((one) => [...one.patches!]));
        const found = await model.embedImages(patches, grids);
        expect(largestDifferenceOverLargest(found, decode(imageFeatures))).toBeLessThan(1e-5);
      }
      await model.close();
    },
  );
});

describe('the exported folder', () => {
  const parity = loadForwardCase('two-images');

  it('has the ports, files and config that transformers.js asks for', async () => {
    const { output, report } = await exported(parity);
    const { ports } = await openExported(output);
    expect(ports.vision).toEqual({
      inputs: { pixel_values: ['float32', '4*M', 1176], grid_thw: ['int64', 'n', 3] },
      outputs: ['image_features'],
    });
    expect(ports.words).toEqual({ inputs: { input_ids: ['int64', 'B', 'T'] }, outputs: ['inputs_embeds'] });
    const { inputs, outputs } = ports.decoder;
    expect(inputs).toMatchObject({
      inputs_embeds: ['float32', 1, 'T', 64],
      attention_mask: ['int64', 1, 'S'],
      position_ids: ['int64', 3, 1, 'T'],
      'past_key_values.0.key': ['float32', 1, 2, 'C', 16],
      'past_key_values.1.value': ['float32', 1, 2, 'C', 16],
    });
    expect(Object.keys(inputs)).toHaveLength(7);
    expect([...outputs].sort()).toEqual(
      ['logits', ...[0, 1].flatMap((i) => [`present.${i}.key`, `present.${i}.value`])].sort(),
    );
    expect(readdirSync(path.join(output, 'onnx')).sort()).toEqual(
      ['decoder_model_merged', 'embed_tokens', 'vision_encoder'].flatMap((name) => [
        `${name}.onnx`,
        `${name}.onnx_data`,
      ]),
    );
    const config = JSON.parse(readFileSync(path.join(output, 'config.json'), 'utf8'));
    // Flat, though the base's is nested.
    expect(config).toMatchObject({ model_type: 'qwen2_vl', num_hidden_layers: 2, num_key_value_heads: 2 });
    expect(config['transformers.js_config']).toEqual({
      dtype: 'fp32',
      use_external_data_format: {
        'vision_encoder.onnx': 1,
        'embed_tokens.onnx': 1,
        'decoder_model_merged.onnx': 1,
      },
    });
    expect(report.modules).toHaveLength(14);
    // The base's file leaves out what transformers takes for granted.
    const processor = JSON.parse(readFileSync(path.join(output, 'preprocessor_config.json'), 'utf8'));
    expect(processor).toMatchObject({
      do_normalize: true,
      do_rescale: true,
      max_pixels: 3136,
      patch_size: 14,
    });
    expect(processor.image_mean).toEqual([0.48145466, 0.4578275, 0.40821073]);
  });

  it('holds halves where asked, within what they lose', async () => {
    const whole = await exported(parity);
    const half = await exported(parity, { dtype: 'f16' });
    const bytes = (dir: string, file: string) => statSync(path.join(dir, 'onnx', file)).size;
    expect(bytes(half.output, 'decoder_model_merged_fp16.onnx_data')).toBeLessThan(
      0.7 * bytes(whole.output, 'decoder_model_merged.onnx_data'),
    );
    const config = JSON.parse(readFileSync(path.join(half.output, 'config.json'), 'utf8'));
    expect(config['transformers.js_config'].dtype).toBe('fp16');
    expect(Object.keys(config['transformers.js_config'].use_external_data_format)).toContain(
      'embed_tokens_fp16.onnx',
    );
    const model = await openExported(half.output);
    const sample = parity.samples[0];
    const logits = await model.read(await embeddingsOf(model, parity, 0), sample.positions);
    expectLogits(logits, sample, 0, 1e-2);
    expect(() => expectLogits(logits, sample, 0, 1e-5)).toThrow();
    await model.close();
  });

  it('has as many data files as the weights need, and a head in pieces', async () => {
    const base = loadForwardCase('no-image');
    // More words than one block of the head.
    const wide = {
      ...base,
      config: { ...base.config, text_config: { ...base.config.text_config, vocab_size: 9000 } },
    };
    const { output, modelDir, adapterDir } = await exported(wide, { maxFileSize: 500_000 });
    const config = JSON.parse(readFileSync(path.join(output, 'config.json'), 'utf8'));
    const files = config['transformers.js_config'].use_external_data_format['decoder_model_merged.onnx'];
    expect(files).toBeGreaterThan(2);
    const names = readdirSync(path.join(output, 'onnx')).filter((name) => name.startsWith('decoder'));
    const data = Array.from(
      { length: files },
      (_, i) => `decoder_model_merged.onnx_data${i === 0 ? '' : `_${i}`}`,
    );
    expect(names.sort()).toEqual(['decoder_model_merged.onnx', ...data].sort());
    const model = await openExported(output);
    const step = await compileStep({ modelDir, adapterDir, recompute: false, threads: 1, seed: 1 });
    const sample = wide.samples[0];
    const [{ losses }] = await step.evaluate(samplesOf(wide).slice(0, 1));
    const logits = await model.read(await embeddingsOf(model, wide, 0), sample.positions);
    sample.rows.forEach((row, n) => {
      const line = [...logits.subarray(row * 9000, (row + 1) * 9000)];
      const loss =
        Math.log(line.reduce((sum, logit) => sum + Math.exp(logit), 0)) - line[sample.ids[row + 1]];
      expect(losses[n]).toBeCloseTo(loss, 4);
    });
    await Promise.all([model.close(), step.close()]);
  });

  it('takes padding before a text, which the attention mask hides', async () => {
    const text = loadForwardCase('no-image');
    const { output } = await exported(text);
    const model = await openExported(output);
    const sample = text.samples[0];
    const embeddings = await embeddingsOf(model, text, 0);
    const width = embeddings.length / sample.ids.length;
    const padded = new Float32Array(embeddings.length + 3 * width).fill(0.7);
    padded.set(embeddings, 3 * width);
    const positions = sample.positions.map((axis) => [1, 1, 1, ...axis]);
    const present = [0, 0, 0, ...sample.ids.map(() => 1)];
    const logits = await model.read(padded, positions, present);
    expectLogits(logits.subarray(3 * text.config.text_config.vocab_size), sample, 0, 1e-5);
    await model.close();
  });

  it('is whole or not there', async () => {
    const { output, modelDir, adapterDir } = await exported(parity);
    const options = { model: modelDir, adapter: adapterDir, output };
    await expect(exportOnnx(options)).rejects.toThrow('holds a model already');
    await expect(exportOnnx({ ...options, output: path.join(modelDir, 'onnx') })).rejects.toThrow(
      'inside the model',
    );
    const stop = new AbortController();
    const stopped = exportOnnx({
      ...options,
      overwrite: true,
      signal: stop.signal,
      onProgress: ({ phase }) => phase === 'verify' && stop.abort(),
    });
    await expect(stopped).rejects.toHaveProperty('name', 'AbortError');
    const beside = readdirSync(path.dirname(output));
    expect(beside.sort()).toEqual(['adapter', 'model', 'out']);
    rmSync(path.join(modelDir, 'preprocessor_config.json'));
    await expect(exportOnnx({ ...options, overwrite: true })).rejects.toThrow(
      'expected preprocessor_config.json',
    );
    writeFileSync(path.join(path.dirname(output), 'file'), 'x');
    const inFile = exportOnnx({ ...options, output: path.join(path.dirname(output), 'file') });
    await expect(inFile).rejects.toThrow('is a file');
  });
});
