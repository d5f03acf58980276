import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAdapterFacts } from '../../../src/checkpoint/adapter-facts.ts';
import { readAdapter } from '../../../src/checkpoint/peft.ts';
import { openCheckpointFolder } from '../../../src/formats/checkpoint-folder.ts';
import { readSafetensorsHeader, readTensor } from '../../../src/formats/safetensors.ts';
import { loadModelConfig } from '../../../src/models/qwen2-vl/config.ts';
import { loadProcessor } from '../../../src/models/qwen2-vl/processor.ts';
import { loraTargets, openModelWeights, parameterTable } from '../../../src/models/qwen2-vl/weights.ts';
import { writeTinyCheckpoint } from '../../support/checkpoint.ts';
import { loadForwardCase } from '../../support/parity.ts';
import { jsonMutations, safetensorsHeader } from '../mutations.ts';
import { holds, type Target } from '../target.ts';
import { fixture, fixtures } from './files.ts';

const adapters = ['decoder', 'old-stems', 'regex-rslora', 'default-infix', 'all-linear'];

const headers: Target = {
  name: 'safetensors headers',
  mutations: jsonMutations,
  part: safetensorsHeader,
  async open(folder) {
    const file = join(folder, 'model.safetensors');
    return {
      bases: adapters.map((name) => fixture(`adapters/${name}/adapter_model.safetensors`)),
      read: async (bytes) => {
        writeFileSync(file, bytes);
        const { tensors } = await readSafetensorsHeader(file);
        let total = 8 + Number(bytes.readBigUInt64LE(0));
        for (const location of tensors.values()) total += location.byteLength;
        holds('tensors fill the file', total === bytes.length);
        for (const location of tensors.values()) {
          const values = await readTensor(location);
          holds('values of the shape', values.length === location.shape.reduce((a, b) => a * b, 1));
        }
      },
    };
  },
};

const indices: Target = {
  name: 'indices of shards',
  mutations: jsonMutations,
  async open(folder) {
    writeTinyCheckpoint(folder, loadForwardCase('f32-sharded-new'));
    const file = join(folder, 'model.safetensors.index.json');
    const base = readFileSync(file);
    const config = await loadModelConfig(folder);
    return {
      bases: [base],
      read: async (bytes) => {
        writeFileSync(file, bytes);
        const tensors = await openCheckpointFolder(folder);
        for (const { file: shard } of tensors.values())
          holds('shards of the folder', shard.startsWith(folder));
        const weights = await openModelWeights(folder, config);
        holds('all weights', weights.size === parameterTable(config).length);
      },
    };
  },
};

const configs: Target = {
  name: 'model configs',
  mutations: jsonMutations,
  async open(folder) {
    const nested = join(folder, 'nested');
    writeTinyCheckpoint(nested, loadForwardCase('one-image'));
    return {
      bases: [
        readFileSync(join(nested, 'config.json')),
        fixture('adapters/base/config.json'),
        readFileSync(`${fixtures}/../../demo/base/config.json`),
      ],
      read: async (bytes) => {
        writeFileSync(join(folder, 'config.json'), bytes);
        const config = await loadModelConfig(folder);
        const { modules } = loraTargets(config);
        holds('a weight for every module', modules.length <= parameterTable(config).length);
      },
    };
  },
};

const processors: Target = {
  name: 'preprocessor configs',
  mutations: jsonMutations,
  async open(folder) {
    const picture = { width: 32, height: 24, data: new Uint8Array(32 * 24 * 3) };
    return {
      bases: [
        readFileSync(`${fixtures}/../../demo/base/preprocessor_config.json`),
        Buffer.from(
          '{"size":{"shortest_edge":784,"longest_edge":3136},"patch_size":14,"image_mean":[0.5,0.5,0.5],"image_std":0.5}',
        ),
      ],
      read: async (bytes) => {
        writeFileSync(join(folder, 'preprocessor_config.json'), bytes);
        const processor = await loadProcessor(folder);
        const { grid, values } = processor.patches(picture);
        holds('values of the patches', values.length % (grid[1] * grid[2]) === 0);
        holds('whole tokens', Number.isInteger(processor.tokenCount(grid)));
      },
    };
  },
};

/** One of the two files of an adapter is spoiled, the other is whole. */
const adapterFiles = (name: string, file: string, part?: Target['part']): Target => ({
  name,
  mutations: jsonMutations,
  part,
  async open(folder) {
    const targets = loraTargets(await loadModelConfig(`${fixtures}/adapters/base`));
    const dirs = adapters.map((adapter) => join(folder, adapter));
    for (const [i, dir] of dirs.entries()) {
      mkdirSync(dir, { recursive: true });
      cpSync(`${fixtures}/adapters/${adapters[i]}`, dir, { recursive: true });
    }
    return {
      bases: dirs.map((dir) => readFileSync(join(dir, file))),
      read: async (bytes, which) => {
        writeFileSync(join(dirs[which], file), bytes);
        const facts = await readAdapterFacts(dirs[which]);
        holds('facts', typeof facts === 'object');
        const { config, tensors } = await readAdapter(dirs[which], targets);
        holds('pairs', tensors.size === 2 * config.targetModules.length);
        for (const { values } of tensors.values()) holds('finite values', values.every(Number.isFinite));
      },
    };
  },
});

export const checkpointTargets: Target[] = [
  headers,
  indices,
  configs,
  processors,
  adapterFiles('adapter weights', 'adapter_model.safetensors', safetensorsHeader),
  adapterFiles('adapter configs', 'adapter_config.json'),
];
