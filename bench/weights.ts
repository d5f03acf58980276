/** Random weights at real widths, written once to a scratch folder; the numbers do not matter, their places do. */
import { closeSync, existsSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { byteWidth, type DType } from '../src/dtype.ts';
import type { TensorLocation } from '../src/formats/safetensors.ts';

const chunk = 1 << 22;

/**
 * Half-precision bits of small normal-like numbers repeat every chunk, but for its number: ONNX Runtime keeps packed
 * matrices that are equal to the last bit only once.
 */
function pattern(dtype: DType): Buffer {
  const floats = Float32Array.from({ length: chunk / 4 }, (_, i) => Math.sin(i * 12.9898) * 0.02);
  if (dtype === 'f32') return Buffer.from(floats.buffer);
  const words = new Uint32Array(floats.buffer);
  return Buffer.from(
    Uint16Array.from({ length: chunk / 2 }, (_, i) => words[i % words.length] >>> 16).buffer,
  );
}

/** Writes the tensors one after the other and tells where each one is. An existing file of the right size is kept. */
export function writeWeights(
  file: string,
  shapes: ReadonlyMap<string, number[]>,
  dtype: 'f32' | 'bf16',
): Map<string, TensorLocation> {
  const locations = new Map<string, TensorLocation>();
  let offset = 0;
  for (const [name, shape] of shapes) {
    const byteLength = shape.reduce((product, dim) => product * dim, byteWidth[dtype]);
    locations.set(name, { file, dtype, shape, offset, byteLength });
    offset += byteLength;
  }
  if (existsSync(file) && statSync(file).size === offset) return locations;
  const block = pattern(dtype);
  const handle = openSync(`${file}.part`, 'w');
  for (let written = 0; written < offset; written += block.length) {
    block.writeUInt16LE((written / block.length) & 0x3fff, 0);
    writeSync(handle, block, 0, Math.min(block.length, offset - written));
  }
  closeSync(handle);
  renameSync(`${file}.part`, file);
  return locations;
}
