/** ONNX external data: tensors of a model in files beside it, of a size that browsers can hold. */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { readRange } from '../formats/safetensors.ts';
import { createChecksum } from './merge-verify.ts';

/** Bytes that an ArrayBuffer of today's browsers takes for certain. */
export const browserLimit = 2_000_000_000;
/** Runtimes map data that begins at a page. */
const alignment = 4096;

export interface DataRange {
  file: string;
  offset: number;
  length: number;
}

interface Written extends DataRange {
  checksum: number;
}

/** Files `<model>.onnx_data`, `<model>.onnx_data_1`, ..., the names under which transformers.js looks for them. */
export class ExternalData {
  readonly #folder: string;
  readonly #stem: string;
  readonly #limit: number;
  readonly #written: Written[] = [];
  #handle?: FileHandle;
  #offset = 0;
  #files = 0;

  /** @param limit bytes of a file at most; a tensor that is larger has one to itself. */
  constructor(folder: string, model: string, limit: number) {
    this.#limit = limit;
    this.#folder = folder;
    this.#stem = `${model}_data`;
  }

  get files(): number {
    return this.#files;
  }

  /** Appends a tensor of `length` bytes that comes in blocks. */
  async add(length: number, blocks: AsyncIterable<Uint8Array>): Promise<DataRange> {
    let begin = Math.ceil(this.#offset / alignment) * alignment;
    if (!this.#handle || (begin > 0 && begin + length > this.#limit)) {
      await this.#next();
      begin = 0;
    }
    const checksum = createChecksum();
    this.#offset = begin;
    for await (const block of blocks) {
      checksum.add(block);
      await this.#write(block);
    }
    const range = { file: this.#name(), offset: begin, length };
    if (this.#offset !== begin + length) {
      throw new LorikeetError('graph', { what: `${length} bytes expected, got ${this.#offset - begin}` });
    }
    this.#written.push({ ...range, checksum: checksum.value() });
    return range;
  }

  async close(): Promise<void> {
    await this.#handle?.sync().finally(() => this.#handle?.close());
    this.#handle = undefined;
  }

  /** Reads all of it back; throws a `checkpoint` error where it is not what was written. */
  async verify(pass: (bytes: number) => void): Promise<void> {
    for (const { file, offset, length, checksum } of this.#written) {
      const found = createChecksum();
      for await (const bytes of readRange(path.join(this.#folder, file), offset, length)) {
        found.add(bytes);
        pass(bytes.byteLength);
      }
      if (found.value() !== checksum) {
        throw new LorikeetError('checkpoint', {
          file: path.join(this.#folder, file),
          what: `bytes ${offset} to ${offset + length} read back otherwise than they were written`,
          fix: 'The disk may be failing; nothing was kept. Try another one.',
        });
      }
    }
  }

  #name(): string {
    return this.#files > 1 ? `${this.#stem}_${this.#files - 1}` : this.#stem;
  }

  async #next(): Promise<void> {
    await this.close();
    this.#files++;
    this.#handle = await open(path.join(this.#folder, this.#name()), 'wx');
  }

  async #write(block: Uint8Array): Promise<void> {
    for (let done = 0; done < block.length; ) {
      const { bytesWritten } = await this.#handle!.write(block, done, block.length - done, this.#offset);
      done += bytesWritten;
      this.#offset += bytesWritten;
    }
  }
}
