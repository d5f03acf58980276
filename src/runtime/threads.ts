/** How many threads pay: one for each physical core, as matrix kernels saturate a core with one. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

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
