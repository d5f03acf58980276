import { shortHash } from './hash.ts';
import { type EvaluationPoint, type Progress, readMetricsLine, type StepPoint } from './points.ts';
import { tailLines } from './tail.ts';

/** The curves of `metrics.jsonl`, kept up with as the file grows. */
export interface Curves {
  /** Reads what came; whether there was anything. */
  refresh(): boolean;
  /** Tells this run from another one in the same folder; '-' before its first line. */
  run(): string;
  steps: readonly StepPoint[];
  evaluations: readonly EvaluationPoint[];
  progress(): Progress | null;
  /** When the file was last written, milliseconds since 1970. */
  writtenAt(): number | null;
}

export function followCurves(file: string): Curves {
  const tail = tailLines(file);
  const steps: StepPoint[] = [];
  const evaluations: EvaluationPoint[] = [];
  let run = '-';
  let progress: Progress | null = null;

  const add = (text: string) => {
    const line = readMetricsLine(text);
    if (line.step) steps.push(line.step);
    if (line.evaluation) evaluations.push(line.evaluation);
    progress = line.progress ?? progress;
  };
  const forget = () => {
    steps.length = evaluations.length = 0;
    run = '-';
    progress = null;
  };

  return {
    refresh() {
      const { lines, restarted } = tail.read();
      if (restarted) forget();
      if (run === '-' && lines.length > 0) run = shortHash(lines[0]);
      for (const line of lines) add(line);
      return restarted || lines.length > 0;
    },
    run: () => run,
    steps,
    evaluations,
    progress: () => progress,
    writtenAt: tail.writtenAt,
  };
}
