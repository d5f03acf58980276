/**
 * A process of its own that answers requests, a line of JSON each, and whose anonymous memory is watched from here while
 * it does: our own children and PyTorch's alike.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const jiti = path('../node_modules/jiti/lib/jiti-cli.mjs');

/** MB of a process's memory that no file backs; 0 where the system does not tell. */
export function anonymous(pid: number): number {
  const file = `/proc/${pid}/status`;
  const status = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

export interface Answer {
  /** What the process says. */
  value: number;
  /** MB of anonymous memory: when it was asked, and at the most since. */
  before: number;
  peak: number;
}

export class WorkerProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(command: string, args: string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', () => {}); // no such command: stdout just ends
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** A script of this folder that calls `answer`. */
  static async start(script: string, options: object): Promise<WorkerProcess> {
    const process = new WorkerProcess(globalThis.process.execPath, [
      jiti,
      path(script),
      JSON.stringify(options),
    ]);
    process.#child.stderr.pipe(globalThis.process.stderr);
    await process.#ready(script);
    return process;
  }

  /** A Python script of this folder; undefined where there is no Python with torch, transformers and PEFT. */
  static async startPython(script: string, options: object): Promise<WorkerProcess | undefined> {
    const python = process.env.LORIKEET_PYTHON ?? 'python3';
    const process_ = new WorkerProcess(python, [path(script), JSON.stringify(options)]);
    const complaints: string[] = [];
    createInterface({ input: process_.#child.stderr }).on('line', (line) => complaints.push(line));
    const first = await process_.#lines.next();
    if (first.value === 'ready') return process_;
    // Without the packages it is left out; anything else that goes wrong there is told.
    const reason = complaints.at(-1) ?? '';
    if (first.done && (reason === '' || reason.startsWith('ModuleNotFoundError'))) return undefined;
    throw new Error(`${script}: ${complaints.slice(-3).join('\n')}`);
  }

  async #ready(script: string): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== 'ready') throw new Error(`${script} ended before it was ready`);
  }

  get memory(): number {
    return anonymous(this.#child.pid!);
  }

  async ask(request: object): Promise<Answer> {
    const before = this.memory;
    let peak = before;
    const sampler = setInterval(() => {
      peak = Math.max(peak, this.memory);
    }, 2);
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    clearInterval(sampler);
    if (done) throw new Error(`the process ended over ${JSON.stringify(request)}`);
    return { value: Number(value), before, peak };
  }

  stop(): void {
    this.#child.kill();
  }
}

/** The other end: answers every request of the parent with a number, usually seconds. */
export async function answer(reply: (request: never) => Promise<number>): Promise<void> {
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${await reply(JSON.parse(line) as never)}\n`);
}
