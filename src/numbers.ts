/** Numbers as people read them. */

const grouped = new Intl.NumberFormat('en-US');

/** `1 row`, `3,064 rows`. */
export function count(value: number, singular: string, plural = `${singular}s`): string {
  return `${grouped.format(value)} ${value === 1 ? singular : plural}`;
}

export function number(value: number): string {
  return grouped.format(value);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
