/** What the keys of an adapter file say: modules with their halves, and what is no LoRA of a linear layer. */
import type { TensorLocation } from '../formats/safetensors.ts';
import { canonicalName } from '../models/qwen2-vl/weights.ts';
import { keyPrefix } from './peft.ts';

export interface Halves {
  /** As the model names it. */
  module: string;
  a?: TensorLocation;
  b?: TensorLocation;
}

/** Keys of either generation, with or without the name of an adapter in them (`lora_A.default.weight`). */
const loraKey = /^(.+)\.lora_(A|B)(?:\.[\w-]+)?\.weight$/;

/** @param stored as in the file. @returns modules in the order of layers, and the keys that belong to none. */
export function pairHalves(stored: ReadonlyMap<string, TensorLocation>): {
  pairs: Halves[];
  others: string[];
} {
  const pairs = new Map<string, Halves>();
  const others: string[] = [];
  for (const [key, location] of stored) {
    const [, name, half] = loraKey.exec(key.replace(keyPrefix, '')) ?? [];
    if (name === undefined) {
      others.push(key);
      continue;
    }
    const module = canonicalName(name);
    const pair = pairs.get(module) ?? { module };
    pairs.set(module, { ...pair, [half === 'A' ? 'a' : 'b']: location });
  }
  const inOrder = new Intl.Collator('en', { numeric: true }).compare;
  return { pairs: [...pairs.values()].sort((x, y) => inOrder(x.module, y.module)), others };
}

/** A module's name without the number of its layer, which is what modules of one kind share. */
export const kindOf = (module: string): string =>
  module.replace(/^model\./, '').replace(/\.(layers|blocks)\.\d+\./, '.$1.N.');

export const layerOf = (module: string): number | undefined => {
  const found = /\.(?:layers|blocks)\.(\d+)\./.exec(module);
  return found ? Number(found[1]) : undefined;
};
