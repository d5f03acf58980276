/** One tensor of a merged model, block by block: W + scale * B A in f64, rounded once to what is stored. */
import { bf16ToF32, byteWidth, f16ToF32, f32ToBf16, f32ToF16, f64ToOddF32 } from '../dtype.ts';
import { LorikeetError } from '../errors.ts';
import { readTensor, readTensorBytes, type TensorLocation } from '../formats/safetensors.ts';
import type { StoredDType } from './companions.ts';
import { inFeaturesOf, type LowRankUpdate, updateRows } from './low-rank.ts';
import type { PlannedTensor } from './merge-plan.ts';

/** Elements in memory at a time, in each of the half dozen forms that they pass through. */
const blockLength = 2 ** 18;

/** What rounding made of an update D: sums over the elements of a weight, or of many. */
export interface RoundingTally {
  /** sum of D^2 */
  update: number;
  /** sum of (W' - (W + D))^2, W' as stored */
  error: number;
  /** Elements that D would change, and those of them that are stored as they were. */
  changed: number;
  unmoved: number;
}

export const emptyTally = (): RoundingTally => ({ update: 0, error: 0, changed: 0, unmoved: 0 });

/** The bytes of a tensor that no update touches. */
export async function* plainBlocks({ base, dtype, name }: PlannedTensor): AsyncGenerator<Uint8Array> {
  for (const { part } of parts(base, blockLength)) {
    if (base.dtype === dtype) yield await readTensorBytes(part);
    else {
      const values = await readTensor(part);
      const encoded = encode(values, dtype);
      const stored = decode(encoded, dtype);
      for (let i = 0; i < stored.length; i++) checkRange(values[i], stored[i], dtype, name);
      yield bytesOf(encoded);
    }
  }
}

/** The bytes of a weight [out, in] with its update; adds to `tally`. */
export async function* mergedBlocks(
  { base, dtype, name }: PlannedTensor,
  update: LowRankUpdate,
  tally: RoundingTally,
): AsyncGenerator<Uint8Array> {
  const columns = inFeaturesOf(update);
  const rows = Math.max(1, Math.floor(blockLength / columns));
  const [deltas, sums] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  for (const { part, start, length } of parts(base, rows * columns)) {
    const weight = await readTensor(part);
    updateRows(update, start / columns, length / columns, deltas);
    for (let i = 0; i < length; i++) sums[i] = weight[i] + deltas[i];
    const exact = sums.subarray(0, length);
    const encoded = dtype === 'f32' ? new Float32Array(exact) : encode(f64ToOddF32(exact), dtype);
    const stored = decode(encoded, dtype);
    for (let i = 0; i < length; i++) {
      checkRange(exact[i], stored[i], dtype, name);
      if (deltas[i] !== 0) count(tally, deltas[i], stored[i] === weight[i], stored[i] - exact[i]);
    }
    yield bytesOf(encoded);
  }
}

function count(tally: RoundingTally, delta: number, isUnmoved: boolean, error: number): void {
  tally.changed++;
  if (isUnmoved) tally.unmoved++;
  tally.update += delta * delta;
  tally.error += error * error;
}

/** Pieces of a tensor of `length` elements, the last one shorter. */
function* parts(location: TensorLocation, length: number) {
  const width = byteWidth[location.dtype];
  const total = location.byteLength / width;
  for (let start = 0; start < total; start += length) {
    const size = Math.min(length, total - start);
    const part = {
      ...location,
      shape: [size],
      offset: location.offset + start * width,
      byteLength: size * width,
    };
    yield { part, start, length: size };
  }
}

function encode(values: Float32Array<ArrayBuffer>, dtype: StoredDType) {
  if (dtype === 'f32') return values;
  return dtype === 'f16' ? f32ToF16(values) : f32ToBf16(values);
}

function decode(encoded: Float32Array | Uint16Array, dtype: StoredDType): Float32Array {
  if (encoded instanceof Float32Array) return encoded;
  return dtype === 'f16' ? f16ToF32(encoded) : bf16ToF32(encoded);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A weight beyond the type's range would be stored as infinity and spoil every answer. */
function checkRange(exact: number, stored: number, dtype: StoredDType, tensor: string): void {
  if (Number.isFinite(stored) || !Number.isFinite(exact)) return;
  throw new LorikeetError('checkpoint', {
    tensor,
    what: `holds ${exact.toPrecision(6)}, which ${dtype} cannot hold`,
    fix:
      dtype === 'f16'
        ? 'Store the merged model as bf16 or f32 (--dtype).'
        : 'Use an adapter that was trained less far.',
  });
}
