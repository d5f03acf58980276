/** Reading back what was written: the files say what was planned, and every tensor has the bytes that went out. */
import path from 'node:path';
import { crc32 } from '@node-rs/crc32';
import { LorikeetError } from '../errors.ts';
import { openShards } from '../formats/checkpoint-folder.ts';
import { readRange, type TensorLocation } from '../formats/safetensors.ts';
import type { PlannedFile, PlannedTensor } from './merge-plan.ts';
import type { Pace } from './merge-progress.ts';

export interface Checksum {
  add(bytes: Uint8Array): void;
  value(): number;
}

/** CRC-32 of bytes that come in pieces. */
export function createChecksum(): Checksum {
  let sum = 0;
  return {
    add: (bytes) => {
      sum = crc32(bytes, sum);
    },
    value: () => sum,
  };
}

/** Throws a `checkpoint` error for the first tensor that is not there, or not as it was written. */
export async function verifyFiles(
  folder: string,
  files: readonly PlannedFile[],
  checksums: ReadonlyMap<string, number>,
  pace: Pace,
): Promise<void> {
  const written = await openShards(folder);
  for (const { name, tensors } of files) {
    const found = written.get(name);
    for (const tensor of tensors) {
      const location = found?.get(tensor.name);
      if (!location || !agrees(location, tensor)) differs(path.join(folder, name), tensor.name);
      if ((await checksumOf(location, pace)) !== checksums.get(tensor.name))
        differs(path.join(folder, name), tensor.name);
    }
  }
}

const agrees = (location: TensorLocation, { base, dtype }: PlannedTensor): boolean =>
  location.dtype === dtype && location.shape.join() === base.shape.join();

async function checksumOf({ file, offset, byteLength }: TensorLocation, pace: Pace): Promise<number> {
  const checksum = createChecksum();
  for await (const bytes of readRange(file, offset, byteLength)) {
    checksum.add(bytes);
    pace.pass('verify', bytes.byteLength);
  }
  return checksum.value();
}

function differs(file: string, tensor: string): never {
  throw new LorikeetError('checkpoint', {
    file,
    tensor,
    what: 'reads back otherwise than it was written',
    fix: 'The disk may be failing; nothing was kept. Try another one.',
  });
}
