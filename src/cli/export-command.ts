import type { MergeReport } from '../checkpoint/merge-report.ts';
import { exportOnnx } from '../checkpoint/onnx-export.ts';
import type { ExportedDType } from '../checkpoint/onnx-parts.ts';
import { inGigabytes } from '../checkpoint/output-folder.ts';
import { count, duration, shortPath } from '../words.ts';
import { describeRounding, describeUntrained, withProgress } from './merge-command.ts';

export interface ExportCommandOptions {
  model: string;
  adapter?: string;
  output: string;
  dtype: ExportedDType;
  overwrite?: boolean;
}

/** Runs `lorikeet export` and gives the exit code: 0, or 130 where Ctrl-C stopped it. */
export function exportCommand({
  model,
  adapter,
  output,
  dtype,
  overwrite,
}: ExportCommandOptions): Promise<number> {
  return withProgress(async (watched) =>
    describeExport(await exportOnnx({ model, adapter, output, dtype, overwrite, ...watched })),
  );
}

export function describeExport(report: MergeReport): string {
  const { output, files, bytes, tensors, dtypes, modules, untrained, seconds } = report;
  const merged = modules.length + untrained.length > 0;
  const lines = [
    `Exported in ${duration(seconds)}: ${shortPath(output)}`,
    `  ${count(files.length, 'graph')} (${files.join(', ')})`,
    `  ${count(tensors, 'weight')}, ${inGigabytes(bytes)}, ${dtypes.join(' and ')}; read back and found as written`,
    ...(merged
      ? [`  ${count(modules.length, 'module')} of the adapter merged`, ...describeRounding(report)]
      : []),
    ...describeUntrained(report),
  ];
  return `${lines.join('\n')}\n`;
}
