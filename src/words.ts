/** Numbers and paths as people read them. */
import { relative } from 'node:path';

const grouped = new Intl.NumberFormat('en-US');

export function count(value: number, singular: string, plural = `${singular}s`): string {
  return `${grouped.format(value)} ${value === 1 ? singular : plural}`;
}

export function number(value: number): string {
  return grouped.format(value);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A loss, a gap, a norm: three digits behind the point, or as many as say something. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size < 0.001 && size > 0)) return value.toExponential(2);
  if (size >= 1000) return grouped.format(Math.round(value));
  return value.toFixed(size < 0.01 && size > 0 ? 4 : 3);
}

/** Two units at most: `45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Bytes as disks and networks are sold: 1 GB is 10^9 bytes. */
export function size(bytes: number): string {
  for (const [unit, name] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ] as const) {
    if (bytes >= unit) return `${(bytes / unit).toFixed(bytes >= 10 * unit ? 1 : 2)} ${name}`;
  }
  return count(Math.round(bytes), 'byte');
}

/** Small rates in exponent form, as they stand in configs. */
export function rate(value: number): string {
  return value === 0 || value >= 0.001 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

export function tokensPerSecond(value: number): string {
  return `${grouped.format(Number(value.toPrecision(3)))} tokens/s`;
}

/** Seen from the working directory, where that is shorter. */
export function shortPath(path: string): string {
  const seen = relative(process.cwd(), path);
  return seen !== '' && seen.length < path.length ? seen : path;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
