/** How many threads pay: one for each physical core, as matrix kernels saturate a core with one. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { mostThreads } from '../config/schema.ts';
import { named } from '../data/rows/own.ts';
import { LorikeetError } from '../errors.ts';

const topology = '/sys/devices/system/cpu';

/** Physical cores that this process may use; never more than the system grants it. */
export function physicalCores(): number {
  const granted = availableParallelism();
  try {
    const siblings = readdirSync(topology)
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => readFileSync(`${topology}/${name}/topology/core_cpus_list`, 'utf8').trim());
    return Math.max(1, Math.min(granted, new Set(siblings).size));
  } catch {
    // Only Linux tells; elsewhere the system's own number stands.
    return granted;
  }
}

/** What a program asked for, or the physical cores. Throws a `config` error for what ONNX Runtime would fail on later. */
export function threadsOf(asked: number | undefined): number {
  if (asked === undefined) return physicalCores();
  if (Number.isInteger(asked) && asked >= 1 && asked <= mostThreads) return asked;
  throw new LorikeetError('config', {
    what: `threads expected a whole number from 1 to ${mostThreads}, got ${typeof asked === 'number' ? asked : named(asked)}`,
    fix: 'Leave it out for one on each physical core.',
  });
}
