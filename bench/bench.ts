/** What a bench is: figures, and the lines that tell them. */

export interface BenchOptions {
  /** Rounds in which the sides take turns; figures are medians over them. */
  rounds: number;
  threads: number;
  /** Narrow layers and few rounds: shows that a bench runs, its figures mean nothing. */
  quick: boolean;
  /** For weights and models, gigabytes of them. */
  scratch: string;
}

export interface Bench<Result = unknown> {
  run(options: BenchOptions): Promise<Result>;
  tell(result: Result): string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

export const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

export const noTorch =
  'PyTorch: not here; LORIKEET_PYTHON names a Python that has torch, transformers and PEFT';
