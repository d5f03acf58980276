import type { DataSummary } from '../train/events.ts';
import { shortPath } from '../words.ts';

/** A line of a table: what it is about, and a sentence. */
export type Line = readonly [name: string, text: string];

/** Names in 12 columns, as the lines of the check have them. */
export function table(lines: readonly Line[]): string {
  return lines.map(([name, text]) => `${name.padEnd(11)} ${text}`).join('\n');
}

/** Which files the rows come from, and how they were read. */
export function dataLines({ train, validation }: { train: DataSummary; validation?: DataSummary }): Line[] {
  return [
    ['Training', describeFile(train)],
    ['Validation', validation ? describeFile(validation) : 'none (data.validation names a file for it)'],
  ];
}

function describeFile({ file, form, fields, guessed }: DataSummary): string {
  const named = Object.entries(fields).map(([ours, theirs]) => {
    if (ours === theirs) return ours;
    return guessed.includes(ours) ? `${ours} from "${theirs}", guessed` : `${ours} from "${theirs}"`;
  });
  const columns = named.length > 0 ? ` (${named.join('; ')})` : '';
  return `${shortPath(file)}: ${form} rows${columns}`;
}
