import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Compile } from '../../src/train/compile.ts';
import { bigramStep } from './bigram.ts';

/** A model that needs no engine and writes what it has learned, for runs whose data and folder are real. */
export const compileBigrams: Compile = async () => {
  const step = bigramStep(432);
  return {
    ...step,
    device: 'cpu',
    threads: 1,
    base: { modelType: 'qwen2_vl', parameters: 1, vocabulary: 432, dtypes: ['f32'] },
    decisions: [],
    writeAdapter: async (folder) => {
      const values = step.trainables.map(({ values }) => Buffer.from(values.buffer));
      writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.concat(values));
      writeFileSync(join(folder, 'adapter_config.json'), '{}');
    },
  };
};
