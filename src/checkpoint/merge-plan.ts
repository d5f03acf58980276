/** What a merged folder will hold, before any of it is written: its files, their tensors, their bytes. */
import { byteWidth } from '../dtype.ts';
import { LorikeetError } from '../errors.ts';
import { type Shards, singleFile } from '../formats/checkpoint-folder.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import type { StoredDType } from './companions.ts';

export interface PlannedTensor {
  /** As the base's files spell it. */
  name: string;
  base: TensorLocation;
  dtype: StoredDType;
  byteLength: number;
}

export interface PlannedFile {
  name: string;
  tensors: PlannedTensor[];
}

/**
 * The base's own files, each with its own tensors; or, with `maxShardSize`, new ones of at most that many bytes of
 * tensors, filled in the base's order. A tensor that is larger has a file to itself.
 */
export function planFiles(
  base: Shards,
  { dtype, maxShardSize }: { dtype: StoredDType | 'same'; maxShardSize?: number },
): PlannedFile[] {
  const files = [...base].map(([name, tensors]) => ({
    name,
    tensors: [...tensors].map(([tensor, location]) => planTensor(tensor, location, dtype)),
  }));
  return maxShardSize === undefined
    ? files
    : divide(
        files.flatMap(({ tensors }) => tensors),
        maxShardSize,
      );
}

function planTensor(name: string, base: TensorLocation, wanted: StoredDType | 'same'): PlannedTensor {
  const dtype = wanted === 'same' ? (base.dtype as StoredDType) : wanted;
  return { name, base, dtype, byteLength: (base.byteLength / byteWidth[base.dtype]) * byteWidth[dtype] };
}

function divide(tensors: PlannedTensor[], limit: number): PlannedFile[] {
  const parts: PlannedTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    if (bytes > 0 && bytes + tensor.byteLength > limit) {
      parts.push([]);
      bytes = 0;
    }
    parts[parts.length - 1].push(tensor);
    bytes += tensor.byteLength;
  }
  if (parts.length === 1) return [{ name: singleFile, tensors: parts[0] }];
  const number = (n: number) => String(n).padStart(5, '0');
  return parts.map((part, i) => ({
    name: `model-${number(i + 1)}-of-${number(parts.length)}.safetensors`,
    tensors: part,
  }));
}

export function totalBytes(files: readonly PlannedFile[]): number {
  return files.reduce(
    (sum, file) => sum + file.tensors.reduce((part, { byteLength }) => part + byteLength, 0),
    0,
  );
}

const units: Record<string, number> = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** `5GB`, `500 MB`, `2000000`: bytes, in powers of ten as the hub counts. Throws a `config` error. */
export function parseSize(text: string): number {
  const found = /^(\d+(?:\.\d+)?) ?([KMGT]?B)?$/i.exec(text.trim());
  const bytes = found ? Math.floor(Number(found[1]) * units[(found[2] ?? '').toUpperCase()]) : 0;
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new LorikeetError('config', {
    what: `max-shard-size expected a size such as 5GB or 500MB, got ${JSON.stringify(text.slice(0, 80))}`,
    fix: 'Leave it out to keep the files as the base has them.',
  });
}
