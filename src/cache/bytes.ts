import { number } from '../words.ts';

/** `1.5 GB`, `20 MB`: three digits. */
export function gigabytes(bytes: number): string {
  const [unit, name] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  return `${number(Number((bytes / unit).toPrecision(3)))} ${name}`;
}
