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
      checkRange(values, decode(encoded, dtype), dtype, name);
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
  const sums = new Float64Array(rows * columns);
  for (const { part, start, length } of parts(base, rows * columns)) {
    const weight = await readTensor(part);
    updateRows(update, start / columns, length / columns, sums);
    const delta = sums.subarray(0, length);
    const exact = delta.map((value, i) => weight[i] + value);
    const encoded = dtype === 'f32' ? new Float32Array(exact) : encode(f64ToOddF32(exact), dtype);
    const stored = decode(encoded, dtype);
    checkRange(exact, stored, dtype, name);
    count(tally, { weight, delta, exact, stored });
    yield bytesOf(encoded);
  }
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
function checkRange(
  exact: ArrayLike<number>,
  stored: Float32Array,
  dtype: StoredDType,
  tensor: string,
): void {
  const at = stored.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(exact[i]));
  if (at < 0) return;
  throw new LorikeetError('checkpoint', {
    tensor,
    what: `holds ${exact[at].toPrecision(6)}, which ${dtype} cannot hold`,
    fix:
      dtype === 'f16'
        ? 'Store the merged model as bf16 or f32 (--dtype).'
        : 'Use an adapter that was trained less far.',
  });
}

function count(
  tally: RoundingTally,
  block: { weight: Float32Array; delta: Float64Array; exact: Float64Array; stored: Float32Array },
): void {
  const { weight, delta, exact, stored } = block;
  for (let i = 0; i < delta.length; i++) {
    if (delta[i] === 0) continue;
    tally.changed++;
    if (stored[i] === weight[i]) tally.unmoved++;
    tally.update += delta[i] ** 2;
    tally.error += (stored[i] - exact[i]) ** 2;
  }
}
