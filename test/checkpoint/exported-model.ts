/** An exported folder run with ONNX Runtime alone, fed what transformers.js feeds it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Grid } from '../../src/data/example.ts';

type Feeds = Record<string, ort.Tensor>;

export interface ExportedModel {
  /** Port names and shapes by graph. */
  ports: Record<string, { inputs: Record<string, unknown>; outputs: string[] }>;
  /** [M, D] */
  embedImages(patches: Float32Array, grids: readonly Grid[]): Promise<Float32Array>;
  /** [T, D] */
  embedTokens(ids: readonly number[]): Promise<Float32Array>;
  /** Logits [T, V] of T more tokens, at positions [3, T]; the cache is kept. */
  read(
    embeddings: Float32Array,
    positions: readonly number[][],
    present?: readonly number[],
  ): Promise<Float32Array>;
  /** Forgets what was read. */
  restart(): void;
  close(): Promise<void>;
}

const integers = (values: readonly number[], dims: number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);

export async function openExported(dir: string): Promise<ExportedModel> {
  const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
  const folder = join(dir, 'onnx');
  const suffix = readdirSync(folder).includes('embed_tokens.onnx') ? '' : '_fp16';
  const open = (name: string) => ort.InferenceSession.create(join(folder, `${name}${suffix}.onnx`));
  const [vision, words, decoder] = [
    await open('vision_encoder'),
    await open('embed_tokens'),
    await open('decoder_model_merged'),
  ];
  const width = config.hidden_size;
  const headDim = width / config.num_attention_heads;
  const pastNames = decoder.inputNames.filter((name) => name.startsWith('past_key_values.'));
  const empty = (): Feeds =>
    Object.fromEntries(
      pastNames.map((name) => [
        name,
        new ort.Tensor('float32', new Float32Array(0), [1, config.num_key_value_heads, 0, headDim]),
      ]),
    );
  let past = empty();
  let seen: number[] = [];
  const portsOf = ({ inputMetadata, outputNames }: ort.InferenceSession) => ({
    inputs: Object.fromEntries(
      inputMetadata.map((meta) => [meta.name, meta.isTensor && [meta.type, ...meta.shape]]),
    ),
    outputs: [...outputNames],
  });
  return {
    ports: { vision: portsOf(vision), words: portsOf(words), decoder: portsOf(decoder) },
    async embedImages(patches, grids) {
      const length = patches.length / grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
      const { image_features } = await vision.run({
        pixel_values: new ort.Tensor('float32', patches, [patches.length / length, length]),
        grid_thw: integers(grids.flat(), [grids.length, 3]),
      });
      return image_features.data as Float32Array;
    },
    async embedTokens(ids) {
      const { inputs_embeds } = await words.run({ input_ids: integers(ids, [1, ids.length]) });
      return inputs_embeds.data as Float32Array;
    },
    async read(embeddings, positions, present = positions[0].map(() => 1)) {
      const tokens = positions[0].length;
      seen = [...seen, ...present];
      const outputs = await decoder.run({
        inputs_embeds: new ort.Tensor('float32', embeddings, [1, tokens, width]),
        attention_mask: integers(seen, [1, seen.length]),
        position_ids: integers(positions.flat(), [3, 1, tokens]),
        ...past,
      });
      past = Object.fromEntries(
        pastNames.map((name) => [name, outputs[name.replace('past_key_values', 'present')]]),
      );
      return outputs.logits.data as Float32Array;
    },
    restart() {
      past = empty();
      seen = [];
    },
    async close() {
      for (const session of [vision, words, decoder]) await session.release();
    },
  };
}
