/** Names and shapes of Qwen2-VL's parameters, under both namings that checkpoints use. */
import { LorikeetError } from '../../errors.ts';
import { openCheckpointFolder } from '../../formats/checkpoint-folder.ts';
import { readTensorBytes, type TensorLocation } from '../../formats/safetensors.ts';
import type { LinearModule, LoraTargets } from '../../nn/lora-targets.ts';
import type { Qwen2VLConfig } from './config.ts';

/** One tensor that the architecture asks for; whether it is trained is another table's matter. */
export interface ParameterShape {
  /** As transformers 5 names it in the model: `model.language_model...`, `model.visual...`, `lm_head.weight`. */
  name: string;
  shape: number[];
  kind: 'linear' | 'bias' | 'norm' | 'embedding' | 'conv';
}

/** The table of the words' vectors. */
export const embedding = 'model.language_model.embed_tokens.weight';
const head = 'lm_head.weight';

/** Every nn.Linear that LoRA may stand beside, in the order of the model. The head is none of them, as in PEFT. */
export function linearModules(config: Qwen2VLConfig): LinearModule[] {
  const { text, vision } = config;
  const modules: LinearModule[] = [];
  const add = (part: LinearModule['part'], name: string, inFeatures: number, outFeatures: number) =>
    modules.push({ name, inFeatures, outFeatures, part });
  for (let i = 0; i < vision.depth; i++) {
    const block = `model.visual.blocks.${i}`;
    add('vision', `${block}.attn.qkv`, vision.embedDim, 3 * vision.embedDim);
    add('vision', `${block}.attn.proj`, vision.embedDim, vision.embedDim);
    add('vision', `${block}.mlp.fc1`, vision.embedDim, vision.mlpHidden);
    add('vision', `${block}.mlp.fc2`, vision.mlpHidden, vision.embedDim);
  }
  const merged = vision.embedDim * vision.spatialMergeSize ** 2;
  add('merger', 'model.visual.merger.mlp.0', merged, merged);
  add('merger', 'model.visual.merger.mlp.2', merged, vision.hiddenSize);
  for (let i = 0; i < text.layers; i++) {
    const layer = `model.language_model.layers.${i}`;
    add('decoder', `${layer}.self_attn.q_proj`, text.hiddenSize, text.heads * text.headDim);
    add('decoder', `${layer}.self_attn.k_proj`, text.hiddenSize, text.kvHeads * text.headDim);
    add('decoder', `${layer}.self_attn.v_proj`, text.hiddenSize, text.kvHeads * text.headDim);
    add('decoder', `${layer}.self_attn.o_proj`, text.heads * text.headDim, text.hiddenSize);
    add('decoder', `${layer}.mlp.gate_proj`, text.hiddenSize, text.intermediateSize);
    add('decoder', `${layer}.mlp.up_proj`, text.hiddenSize, text.intermediateSize);
    add('decoder', `${layer}.mlp.down_proj`, text.intermediateSize, text.hiddenSize);
  }
  return modules;
}

/** The decoder's o_proj and MLP have no bias; every other linear layer has one. */
function hasBias({ name, part }: LinearModule): boolean {
  return part !== 'decoder' || /\.[qkv]_proj$/.test(name);
}

/** Every parameter of the model. A tied head is no parameter of its own. */
export function parameterTable(config: Qwen2VLConfig): ParameterShape[] {
  const { text, vision } = config;
  const parameters: ParameterShape[] = [];
  const add = (kind: ParameterShape['kind'], name: string, ...shape: number[]) =>
    parameters.push({ name, shape, kind });
  const addLayerNorm = (name: string) => {
    add('norm', `${name}.weight`, vision.embedDim);
    add('bias', `${name}.bias`, vision.embedDim);
  };
  const { embedDim, inChannels, temporalPatchSize, patchSize } = vision;
  add(
    'conv',
    'model.visual.patch_embed.proj.weight',
    embedDim,
    inChannels,
    temporalPatchSize,
    patchSize,
    patchSize,
  );
  for (let i = 0; i < vision.depth; i++) {
    addLayerNorm(`model.visual.blocks.${i}.norm1`);
    addLayerNorm(`model.visual.blocks.${i}.norm2`);
  }
  addLayerNorm('model.visual.merger.ln_q');
  add('embedding', embedding, text.vocabSize, text.hiddenSize);
  for (let i = 0; i < text.layers; i++) {
    const layer = `model.language_model.layers.${i}`;
    add('norm', `${layer}.input_layernorm.weight`, text.hiddenSize);
    add('norm', `${layer}.post_attention_layernorm.weight`, text.hiddenSize);
  }
  add('norm', 'model.language_model.norm.weight', text.hiddenSize);
  for (const module of linearModules(config)) {
    add('linear', `${module.name}.weight`, module.outFeatures, module.inFeatures);
    if (hasBias(module)) add('bias', `${module.name}.bias`, module.outFeatures);
  }
  if (!text.tieWordEmbeddings) add('linear', head, text.vocabSize, text.hiddenSize);
  return parameters;
}

/** The model's own name of a parameter or module that a file names in the old way or the new one. */
export function canonicalName(stored: string): string {
  return stored
    .replace(/^visual\./, 'model.visual.')
    .replace(/^model\.(?!language_model\.|visual\.)/, 'model.language_model.');
}

/** The old name, which the hub's checkpoints have and transformers still writes. */
export function hubName(canonical: string): string {
  return canonical.replace(/^model\.visual\./, 'visual.').replace(/^model\.language_model\./, 'model.');
}

/** What LoRA and adapter files need to know of this model. */
export function loraTargets(config: Qwen2VLConfig): LoraTargets {
  const moduleNames = new Set<string>([head.replace('.weight', '')]);
  for (const { name } of parameterTable(config)) {
    const parts = name.split('.');
    for (let end = 1; end < parts.length; end++) moduleNames.add(parts.slice(0, end).join('.'));
  }
  return { modules: linearModules(config), moduleNames: [...moduleNames], canonicalName };
}

/**
 * Where each parameter is, by the model's own name. Throws a `checkpoint` error that lists missing, extra and
 * misshaped tensors. A head that is stored although tied is left out: `openModelWeights` compares it.
 */
export function locateWeights(
  config: Qwen2VLConfig,
  locations: Map<string, TensorLocation>,
): Map<string, TensorLocation> {
  const found = byCanonicalName(locations);
  const spelled = spellingOf(locations);
  if (config.text.tieWordEmbeddings) settleTiedHead(found);
  const troubles: Trouble[] = [];
  const located = new Map<string, TensorLocation>();
  for (const { name, shape } of parameterTable(config)) {
    const location = found.get(name);
    found.delete(name);
    const trouble = location ? misfit(location, shape) : `is missing, expected [${shape.join(', ')}]`;
    if (trouble) troubles.push({ tensor: spelled(name), what: trouble });
    else located.set(name, location!);
  }
  for (const name of found.keys()) {
    troubles.push({ tensor: spelled(name), what: 'is extra: the model has no such tensor' });
  }
  if (troubles.length > 0) refuseWeights(troubles, locations);
  return located;
}

interface Trouble {
  tensor: string;
  what: string;
}

function misfit({ shape, dtype }: TensorLocation, expected: number[]): string | undefined {
  if (!fits(shape, expected)) return `expected [${expected.join(', ')}], got [${shape.join(', ')}]`;
  if (!['f32', 'f16', 'bf16'].includes(dtype)) return `expected f32, f16 or bf16, got ${dtype}`;
  return undefined;
}

/** Errors name tensors as the files do, which have the old names or the new. */
function spellingOf(locations: Map<string, TensorLocation>): (canonical: string) => string {
  return locations.has(embedding) ? (name) => name : hubName;
}

function byCanonicalName(locations: Map<string, TensorLocation>): Map<string, TensorLocation> {
  const found = new Map<string, TensorLocation>();
  for (const [stored, location] of locations) {
    const name = canonicalName(stored);
    if (found.has(name)) {
      throw new LorikeetError('checkpoint', {
        file: location.file,
        tensor: stored,
        what: `stands under its old and its new name (${name})`,
        fix: 'Two saves were mixed in one folder; keep one.',
      });
    }
    found.set(name, location);
  }
  return found;
}

/** As in the reference, either of the two tied tensors may be the one that is stored. */
function settleTiedHead(found: Map<string, TensorLocation>): void {
  const stored = found.get(head);
  if (stored && !found.has(embedding)) found.set(embedding, stored);
  found.delete(head);
}

/** The patch embedding may be stored as the matrix that it is in use: [E, C * frames * side * side]. */
function fits(stored: number[], shape: number[]): boolean {
  if (stored.join() === shape.join()) return true;
  const flat = shape.slice(1).reduce((product, size) => product * size, 1);
  return shape.length === 5 && stored.length === 2 && stored[0] === shape[0] && stored[1] === flat;
}

function refuseWeights(troubles: Trouble[], locations: Map<string, TensorLocation>): never {
  const [first] = locations.values();
  const [trouble] = troubles;
  const fix = 'config.json and weights must be of one model; get both from one place.';
  if (troubles.length === 1) throw new LorikeetError('checkpoint', { file: first?.file, ...trouble, fix });
  const shown = troubles.slice(0, 5).map(({ tensor, what }) => `${tensor} ${what}`);
  const more = troubles.length > 5 ? `; and ${troubles.length - 5} more` : '';
  throw new LorikeetError('checkpoint', {
    file: first?.file,
    what: `${troubles.length} tensors disagree with config.json: ${shown.join('; ')}${more}`,
    fix,
  });
}

/** Opens a checkpoint folder and finds every parameter in it; throws `checkpoint` errors. */
export async function openModelWeights(
  dir: string,
  config: Qwen2VLConfig,
): Promise<Map<string, TensorLocation>> {
  const locations = await openCheckpointFolder(dir);
  const located = locateWeights(config, locations);
  const stored = locations.get(head);
  const tied = located.get(embedding);
  if (
    config.text.tieWordEmbeddings &&
    stored &&
    tied &&
    stored !== tied &&
    !(await sameBytes(stored, tied))
  ) {
    throw new LorikeetError('checkpoint', {
      file: stored.file,
      tensor: head,
      what: 'differs from the embedding table although config.json ties the two',
      fix: 'If the head was trained on its own, set "tie_word_embeddings": false in config.json.',
    });
  }
  return located;
}

const compared = 16 * 1024 * 1024;

async function sameBytes(a: TensorLocation, b: TensorLocation): Promise<boolean> {
  if (a.dtype !== b.dtype || a.byteLength !== b.byteLength) return false;
  for (let begin = 0; begin < a.byteLength; begin += compared) {
    const end = Math.min(begin + compared, a.byteLength);
    const [left, right] = await Promise.all([readTensorBytes(a, begin, end), readTensorBytes(b, begin, end)]);
    if (Buffer.compare(left, right) !== 0) return false;
  }
  return true;
}
