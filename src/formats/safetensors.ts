/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes with
 * no gap and no overlap (https://github.com/huggingface/safetensors, "Format"). Knows nothing of models.
 */
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { bf16ToF32, byteWidth, type DType, f16ToF32, f32ToBf16, f32ToF16 } from '../dtype.ts';
import { LorikeetError } from '../errors.ts';
import { writeFileAtomically } from './atomic.ts';
import { isObject, type Json, type JsonObject, parseJson } from './json.ts';

/** Where a tensor's bytes are: `byteLength` bytes from the absolute `offset` of `file` on. */
export interface TensorLocation {
  /** The real path; links are resolved. */
  file: string;
  dtype: DType;
  shape: number[];
  offset: number;
  byteLength: number;
}

export interface SafetensorsHeader {
  tensors: Map<string, TensorLocation>;
  metadata: Record<string, string>;
}

/** The format's own limit. */
export const headerLimit = 100_000_000;

const dtypeOf: Record<string, DType> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  I32: 'i32',
  I16: 'i16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
};

const fetchAgain = 'The file is damaged or was cut off; get it again.';

function refuse(file: string, what: string, fix = fetchAgain, tensor?: string, cause?: unknown): never {
  throw new LorikeetError('checkpoint', { file, tensor, what, fix, cause });
}

/** Reads and checks the header alone; throws `checkpoint` errors that name the file and the tensor. */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  return withFile(file, async (handle, real) => {
    const status = await handle.stat();
    if (!status.isFile())
      refuse(file, 'expected a file, got a folder or device', 'Name a .safetensors file.');
    const length = await headerLength(handle, file, status.size);
    const bytes = await readBytes(handle, file, 8, length);
    const entries = parseHeader(file, bytes);
    const dataStart = 8 + length;
    const tensors = new Map<string, TensorLocation>();
    for (const [name, entry] of Object.entries(entries)) {
      if (name === '__metadata__') continue;
      const { dtype, shape, begin, end } = parseEntry(file, name, entry);
      tensors.set(name, { file: real, dtype, shape, offset: dataStart + begin, byteLength: end - begin });
    }
    checkCoverage(file, tensors, dataStart, status.size);
    return { tensors, metadata: parseMetadata(file, entries.__metadata__) };
  });
}

async function headerLength(handle: FileHandle, file: string, size: number): Promise<number> {
  if (size < 10) {
    refuse(file, `expected at least 10 bytes (8 of header length and "{}"), got ${size}`);
  }
  const prefix = await readBytes(handle, file, 0, 8);
  if (prefix.toString('latin1') === 'version ') {
    refuse(file, 'is a Git LFS pointer, not the tensors', 'Fetch the real file with "git lfs pull".');
  }
  const length = prefix.readBigUInt64LE(0);
  if (length > BigInt(headerLimit)) {
    refuse(file, `header length expected at most ${headerLimit} bytes, got ${length}`);
  }
  if (length > BigInt(size - 8)) {
    refuse(file, `header length expected at most ${size - 8} bytes (the rest of the file), got ${length}`);
  }
  return Number(length);
}

function parseHeader(file: string, bytes: Buffer): JsonObject {
  let value: Json;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    refuse(file, `header is not valid JSON: ${(cause as Error).message}`, fetchAgain, undefined, cause);
  }
  if (!isObject(value)) refuse(file, 'header expected a JSON object, got another JSON value');
  return value;
}

function parseEntry(file: string, name: string, entry: Json) {
  const fail = (what: string, fix?: string): never => refuse(file, what, fix, name);
  if (!isObject(entry)) return fail('header entry expected an object with dtype, shape and data_offsets');
  const dtype =
    typeof entry.dtype === 'string' && Object.hasOwn(dtypeOf, entry.dtype) && dtypeOf[entry.dtype];
  if (!dtype) {
    return fail(
      `dtype expected one of ${Object.keys(dtypeOf).join(', ')}, got ${JSON.stringify(entry.dtype ?? null)}`,
      'Quantised checkpoints cannot be read: use the bf16, f16 or f32 one.',
    );
  }
  const shape = entry.shape;
  if (!isSizes(shape)) return fail(`shape expected non-negative integers, got ${show(shape)}`);
  const offsets = entry.data_offsets;
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail(`data_offsets expected [begin, end] with begin <= end, got ${show(offsets)}`);
  }
  const expected = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, byteWidth[dtype]);
  const [begin, end] = offsets;
  if (end - begin !== expected) {
    return fail(`${dtype} [${shape.join(', ')}] expected ${expected} bytes, got ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

function isSizes(value: Json | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}

/** For messages: what an untrusted value looks like, shortened. */
function show(value: Json | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** The format allows neither gaps nor overlaps, nor bytes after the last tensor. */
function checkCoverage(
  file: string,
  tensors: Map<string, TensorLocation>,
  dataStart: number,
  size: number,
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let at = dataStart;
  for (const [name, { offset, byteLength }] of ordered) {
    if (offset + byteLength > size) {
      const what = `bytes ${offset} to ${offset + byteLength} lie past the end of the file (${size} bytes)`;
      refuse(file, what, fetchAgain, name);
    }
    if (offset !== at) {
      const trouble = offset < at ? 'overlaps the tensor before it' : 'leaves a gap before it';
      const what = `data_offsets begin expected ${at - dataStart}, got ${offset - dataStart}: it ${trouble}`;
      refuse(file, what, fetchAgain, name);
    }
    at = offset + byteLength;
  }
  if (at !== size) refuse(file, `tensors expected to end at byte ${size} (the file's end), got ${at}`);
}

function parseMetadata(file: string, value: Json | undefined): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    refuse(file, '__metadata__ expected an object of strings');
  }
  return { ...value } as Record<string, string>;
}

/** The tensor's values as f32; f64, f16 and bf16 are converted. Integers are refused: they are no weights. */
export async function readTensor(location: TensorLocation): Promise<Float32Array<ArrayBuffer>> {
  const { file, dtype, offset, byteLength } = location;
  if (dtype !== 'f64' && dtype !== 'f32' && dtype !== 'f16' && dtype !== 'bf16') {
    const what = `expected floating-point values (f32, f16, bf16, f64), got ${dtype}`;
    refuse(file, what, 'Quantised checkpoints cannot be read: use the bf16, f16 or f32 one.');
  }
  return withFile(file, async (handle) => {
    const { buffer } = await readBytes(handle, file, offset, byteLength);
    switch (dtype) {
      case 'f32':
        return new Float32Array(buffer);
      case 'f16':
        return f16ToF32(new Uint16Array(buffer));
      case 'bf16':
        return bf16ToF32(new Uint16Array(buffer));
      case 'f64':
        return Float32Array.from(new Float64Array(buffer));
    }
  });
}

/** The tensor's bytes as they stand in the file, `begin` to `end` counted from the tensor's first byte. */
export async function readTensorBytes(
  location: TensorLocation,
  begin = 0,
  end = location.byteLength,
): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(location.file, (handle) =>
    readBytes(handle, location.file, location.offset + begin, end - begin),
  );
}

/** Bytes of any file in pieces of some MB; throws `checkpoint` errors as the reading of tensors does. */
export async function* readRange(
  file: string,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let begin = 0; begin < length; begin += pieceLength) {
    const size = Math.min(pieceLength, length - begin);
    yield await withFile(file, (handle) => readBytes(handle, file, offset + begin, size));
  }
}

const pieceLength = 2 ** 22;

async function withFile<T>(file: string, use: (handle: FileHandle, real: string) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  let real: string;
  try {
    real = await realpath(file);
    handle = await open(real, 'r');
  } catch (cause) {
    const isGone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isGone ? 'no such file, or a link to one that is gone' : (cause as Error).message;
    refuse(file, `could not be opened: ${reason}`, 'Get the file again.', undefined, cause);
  }
  try {
    return await use(handle, real);
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    refuse(file, `could not be read: ${(cause as Error).message}`, 'Check the disk.', undefined, cause);
  } finally {
    await handle.close();
  }
}

/** One read call takes at most 2^31 - 1 bytes. */
const readLimit = 2 ** 30;

async function readBytes(
  handle: FileHandle,
  file: string,
  offset: number,
  length: number,
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(readLimit, length - done), offset + done);
    if (bytesRead === 0) refuse(file, `expected ${length} bytes from byte ${offset} on, got ${done}`);
    done += bytesRead;
  }
  return bytes;
}

/** f32 values, converted to the tensor's dtype on the way; or the bytes as they shall stand in the file. */
export type TensorData = Float32Array | Uint8Array;

export interface TensorToWrite {
  name: string;
  dtype: DType;
  shape: readonly number[];
  /**
   * A function is called when its tensor is due, so that not all of them are in memory at once; it may give the tensor
   * in blocks, from its first element to its last, so that not even the one is.
   */
  data: TensorData | (() => TensorData | Promise<TensorData> | AsyncIterable<TensorData>);
}

/** Writes a file that is either whole or not there; throws `checkpoint` errors. */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Record<string, string> = {},
): Promise<void> {
  // The reference's order: wide elements first keeps every tensor aligned to its element.
  const ordered = [...tensors].sort(
    (a, b) => byteWidth[b.dtype] - byteWidth[a.dtype] || (a.name < b.name ? -1 : 1),
  );
  const header = encodeHeader(file, ordered, metadata);
  try {
    await writeFileAtomically(file, async (handle) => {
      await writeBytes(handle, header);
      for (const tensor of ordered) await writeTensor(handle, file, tensor);
    });
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    const fix = 'Check that the folder can be written and the disk is not full.';
    refuse(file, `could not be written: ${(cause as Error).message}`, fix, undefined, cause);
  }
}

const formatName = Object.fromEntries(Object.entries(dtypeOf).map(([name, dtype]) => [dtype, name]));

function encodeHeader(file: string, tensors: TensorToWrite[], metadata: Record<string, string>): Buffer {
  const entries: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) entries.__metadata__ = metadata;
  let at = 0;
  for (const tensor of tensors) {
    if (tensor.name in entries) refuse(file, 'stands twice', 'Write each tensor once.', tensor.name);
    const end = at + byteLengthOf(tensor);
    entries[tensor.name] = { dtype: formatName[tensor.dtype], shape: tensor.shape, data_offsets: [at, end] };
    at = end;
  }
  const json = JSON.stringify(entries);
  const length = Buffer.byteLength(json);
  const padded = Math.ceil(length / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded), 0);
  header.write(json, 8);
  return header;
}

function byteLengthOf(tensor: TensorToWrite): number {
  return tensor.shape.reduce((product, size) => product * size, byteWidth[tensor.dtype]);
}

async function writeTensor(handle: FileHandle, file: string, tensor: TensorToWrite): Promise<void> {
  let written = 0;
  for await (const block of blocksOf(tensor)) {
    const bytes = block instanceof Float32Array ? encode(file, tensor, block) : block;
    await writeBytes(handle, bytes);
    written += bytes.byteLength;
  }
  const expected = byteLengthOf(tensor);
  if (written !== expected) {
    const what = `${tensor.dtype} [${tensor.shape.join(', ')}] expected ${expected} bytes, got ${written}`;
    refuse(file, what, 'Shape and data disagree.', tensor.name);
  }
}

async function* blocksOf({ data }: TensorToWrite): AsyncGenerator<TensorData> {
  const given = typeof data === 'function' ? await data() : data;
  if (Symbol.asyncIterator in given) yield* given;
  else yield given;
}

function encode(file: string, { name, dtype }: TensorToWrite, values: Float32Array): Uint8Array {
  if (dtype === 'f32') return asBytes(values);
  if (dtype === 'f16') return asBytes(f32ToF16(values));
  if (dtype === 'bf16') return asBytes(f32ToBf16(values));
  if (dtype === 'f64') return asBytes(Float64Array.from(values));
  return refuse(
    file,
    `f32 values cannot be stored as ${dtype}`,
    'Store them as f32, f16, bf16 or f64.',
    name,
  );
}

function asBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

async function writeBytes(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(readLimit, bytes.length - done));
    done += bytesWritten;
  }
}
