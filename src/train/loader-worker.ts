/** The loader's thread: reads, decodes and encodes what it is asked for, in that order. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Example } from '../data/example.ts';
import { createEncoder, type EncoderSettings } from './encoder.ts';
import type { Sample } from './step.ts';
import { errorToWire, type WireError } from './wire.ts';

export interface LoadRequest {
  id: number;
  example: Example;
}

export type LoadReply = { id: number } & ({ sample: Sample } | { error: WireError });

const port = parentPort!;
const encoder = createEncoder(workerData as EncoderSettings);
encoder.catch(() => {}); // told to whoever asks for a row
let last: Promise<void> = Promise.resolve();

port.on('message', (request: LoadRequest) => {
  last = last.then(() => answer(request));
});

async function answer({ id, example }: LoadRequest): Promise<void> {
  try {
    const sample = await (await encoder).load(example);
    const reply: LoadReply = { id, sample };
    port.postMessage(reply, sample.patches.map(({ buffer }) => buffer) as ArrayBuffer[]);
  } catch (error) {
    const reply: LoadReply = { id, error: errorToWire(error) };
    port.postMessage(reply);
  }
}
