/** Models that begin from nothing: random weights behind a config.json. */
import { writeFullCheckpoint } from '../src/checkpoint/full.ts';
import { loadModelConfig } from '../src/models/qwen2-vl/config.ts';
import { hubName, type ParameterShape, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { stream } from '../src/random.ts';

export interface FreshWeights {
  /** Folder with config.json, tokenizer and processor files; the new one takes them over. */
  base: string;
  /** Standard deviation of a matrix; the published 0.02 is for widths ten times those of tiny models. */
  deviation: (parameter: ParameterShape) => number;
  seed: number;
}

/** Writes `folder` as a whole model in f32: matrices normal, biases 0, norms 1. The seed alone decides the values. */
export async function writeFreshModel(
  folder: string,
  { base, deviation, seed }: FreshWeights,
): Promise<void> {
  const config = await loadModelConfig(base);
  const parameters = parameterTable(config).map((parameter) => {
    const { name, shape, kind } = parameter;
    const draws = stream(seed, 'fresh', name);
    const count = shape.reduce((product, dim) => product * dim, 1);
    const range = deviation(parameter);
    const value = { norm: () => 1, bias: () => 0 }[kind as string] ?? (() => range * draws.normal());
    return { name, shape, data: Float32Array.from({ length: count }, value) };
  });
  await writeFullCheckpoint(folder, { base, dtype: 'f32', parameters, storedName: hubName });
}
