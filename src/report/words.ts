/** Numbers as the report's sentences say them. */

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function number(value: number): string {
  return grouped.format(value);
}

export function count(value: number, singular: string, plural = `${singular}s`): string {
  return `${number(value)} ${value === 1 ? singular : plural}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A loss, a gap, a norm: three digits behind the point, or the first three that say anything. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.01 && size < 1000)) return value.toFixed(3);
  return size < 1e6 && size >= 1000 ? number(value) : value.toExponential(2);
}

/** A rate as it stands in configs: `0.001`, `5e-6`. */
export function rate(value: number): string {
  const short = Number(value.toPrecision(3));
  return short === 0 || short >= 0.001 ? String(short) : short.toExponential();
}
