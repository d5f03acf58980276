/** What memory the machine has, and what of it this process may still take. */
import os from 'node:os';

export interface MachineMemory {
  /** Bytes of the machine, or of the container that the process is held to. */
  total: number;
  /** Bytes that the process can hold before others must give some up, its own of now counted. */
  available: number;
}

export function machineMemory(): MachineMemory {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
  return { total, available: Math.min(total, isTold ? unused() + process.memoryUsage.rss() : total) };
}

/** macOS counts as free only what nothing was ever kept in, so it says nothing of what can be had. */
const isTold = process.platform !== 'darwin';

/** On Linux MemAvailable: pages of files that the system can drop count as unused. */
const unused = () => Math.min(os.freemem(), process.availableMemory());
