/**
 * What a step holds in anonymous memory, watched from outside the process that steps: activations with and without
 * recompute over the number of layers, and a large mapped checkpoint.
 */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Size } from './layers.ts';

export interface MemoryCase {
  layers: number;
  recompute: boolean;
  tokens: number;
  dtype: 'f32' | 'bf16';
  size: Size;
  /** Kernels without an arena give every buffer back at once. */
  arena?: boolean;
}

export interface MemoryResult {
  /** MB of anonymous memory: before the session, with it open, and at the peak of a step. */
  base: number;
  opened: number;
  peak: number;
  seconds: number;
}

const script = fileURLToPath(new URL('memory-child.ts', import.meta.url));
const jiti = fileURLToPath(new URL('../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));

/** MB of a process's memory that no file backs. */
export function anonymous(pid: number): number {
  const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '';
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/** Runs the case in a process of its own; the child says in which stage it is, the parent reads its memory. */
export async function benchMemory(options: MemoryCase): Promise<MemoryResult> {
  const child = spawn(process.execPath, [jiti, script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const result = { base: 0, opened: 0, peak: 0, seconds: 0 };
  let stage = '';
  const sampler = setInterval(() => {
    if (stage === 'step') result.peak = Math.max(result.peak, anonymous(child.pid!));
  }, 2);
  for await (const line of createInterface({ input: child.stdout })) {
    stage = line;
    if (line === 'base' || line === 'opened') result[line] = anonymous(child.pid!);
    if (line.startsWith('seconds ')) result.seconds = Number(line.slice(8));
  }
  clearInterval(sampler);
  return result;
}
