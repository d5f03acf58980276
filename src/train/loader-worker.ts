/** The loader's thread: reads, decodes and encodes what it is asked for, in that order. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Example } from '../data/example.ts';
import { createEncoder, type EncoderSettings } from './encoder.ts';
import { type KnownImages, loadUnknown } from './load-unknown.ts';
import type { Sample } from './step.ts';
import { errorToWire, type WireError } from './wire.ts';

export interface LoadRequest {
  id: number;
  example: Example;
  known?: KnownImages;
}

export type LoadReply = { id: number } & ({ sample: Sample } | { error: WireError });

const port = parentPort!;
const encoder = createEncoder(workerData as EncoderSettings);
encoder.catch(() => {}); // told to whoever asks for a row
let last: Promise<void> = Promise.resolve();

port.on('message', (request: LoadRequest) => {
  last = last.then(() => answer(request));
});

async function answer({ id, example, known }: LoadRequest): Promise<void> {
  try {
    const sample = await loadUnknown(await encoder, example, known);
    const reply: LoadReply = { id, sample };
    port.postMessage(reply, sample.images.flatMap(({ patches }) => patches?.buffer ?? []) as ArrayBuffer[]);
  } catch (error) {
    const reply: LoadReply = { id, error: errorToWire(error) };
    port.postMessage(reply);
  }
}
