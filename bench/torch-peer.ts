/** The same step in PyTorch, in a process of its own that steps when it is told to. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface TorchPeer {
  /** Seconds of one step. */
  step(): Promise<number>;
  stop(): void;
}

export interface TorchStep {
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  layers: number;
  tokens: number;
  threads: number;
}

/** undefined where Python with torch, transformers and PEFT is not to be had; PYTHON names another interpreter. */
export async function startTorchPeer(options: TorchStep): Promise<TorchPeer | undefined> {
  const script = fileURLToPath(new URL('torch_layers.py', import.meta.url));
  const child = spawn(process.env.PYTHON ?? 'python3', [script, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stderr.resume();
  const lines = linesOf(child);
  const ready = await lines.next();
  if (ready.value !== 'ready') return undefined;
  return {
    async step() {
      child.stdin.write('step\n');
      return Number((await lines.next()).value);
    },
    stop: () => child.kill(),
  };
}

async function* linesOf(child: ChildProcessWithoutNullStreams): AsyncGenerator<string> {
  child.on('error', () => {}); // no interpreter: stdout just ends
  yield* createInterface({ input: child.stdout });
}
