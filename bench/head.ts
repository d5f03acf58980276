/**
 * The loss of label rows and its gradient at a vocabulary of 151,936 words: seconds, and memory beyond the gradient itself,
 * against plain PyTorch in f32, interleaved. What would not fit the machine's memory is not tried.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { type Bench, median, noTorch } from './bench.ts';
import { WorkerProcess } from './worker-process.ts';

const rowCounts = [64, 512, 2048, 8192];

export interface HeadShape {
  words: number;
  width: number;
}

const shapes: Record<'real' | 'quick', HeadShape> = {
  real: { words: 151936, width: 1536 },
  quick: { words: 4096, width: 64 },
};

interface Measured {
  seconds: number;
  /** MB of anonymous memory at the peak, beyond inputs, weights and the gradient. */
  memory: number;
}

export interface HeadResult extends HeadShape {
  rows: { rows: number; ours: Measured; torch?: Measured | { needs: number; available: number } }[];
  hasTorch: boolean;
}

/** MB that plain PyTorch holds at once: the softmax it keeps, its gradient, and what becomes the logits' gradient. */
const plainNeed = (rows: number, words: number) => (3 * 4 * rows * words) / 2 ** 20;

/** MB that can be had without swapping. */
function availableMemory(): number {
  try {
    return Number(/MemAvailable:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))![1]) / 1024;
  } catch {
    return freemem() / 2 ** 20;
  }
}

export const head: Bench<HeadResult> = {
  async run({ quick, rounds, scratch, threads }) {
    mkdirSync(scratch, { recursive: true });
    const shape = shapes[quick ? 'quick' : 'real'];
    const results: HeadResult['rows'] = [];
    const torch = await WorkerProcess.startPython('torch_head.py', { ...shape, threads });
    for (const rows of rowCounts) {
      // A process for each number of rows: an arena keeps what it has grown to.
      const ours = await WorkerProcess.start('head-child.ts', { ...shape, rows, scratch, threads });
      const needs = plainNeed(rows, shape.words);
      const available = availableMemory();
      const sides = [ours, ...(torch && needs < 0.8 * available ? [torch] : [])];
      const measured = sides.map(() => ({ seconds: [] as number[], memory: 0, base: 0 }));
      for (let round = 0; round < Math.max(2, Math.min(rounds, 4096 / rows)); round++)
        for (const [i, side] of sides.entries()) {
          await side.ask({ do: 'prepare', rows });
          const { value, before, peak } = await side.ask({ do: 'step', rows });
          // Later rounds stand on what the arena has kept of the first.
          if (round === 0) measured[i].base = before + (4 * rows * shape.width) / 2 ** 20;
          else measured[i].seconds.push(value);
          measured[i].memory = Math.max(measured[i].memory, peak - measured[i].base);
        }
      ours.stop();
      const [own, peer] = measured.map(({ seconds, memory }) => ({ seconds: median(seconds), memory }));
      results.push({ rows, ours: own, ...(torch && { torch: peer ?? { needs, available } }) });
    }
    torch?.stop();
    return { ...shape, rows: results, hasTorch: torch !== undefined };
  },
  tell: ({ words, width, rows, hasTorch }) => [
    `Loss and gradient of label rows, ${words.toLocaleString('en')} words, width ${width}, f32; MB beyond the gradient`,
    ...(hasTorch ? [] : [`  ${noTorch}`]),
    ...rows.flatMap(({ rows, ours, torch }) => [
      `  ${String(rows).padStart(5)} rows  ${tellMeasured(ours)}`,
      ...(torch === undefined
        ? []
        : [`    PyTorch   ${'needs' in torch ? tellMissing(torch) : tellMeasured(torch)}`]),
    ]),
  ],
};

const tellMeasured = ({ seconds, memory }: Measured) =>
  `${seconds.toFixed(2).padStart(7)} s  ${memory.toFixed(0).padStart(6)} MB`;

const tellMissing = ({ needs, available }: { needs: number; available: number }) =>
  `does not fit: it needs ${needs.toFixed(0)} MB, ${available.toFixed(0)} MB are free`;
