/** Columns for people: the first to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

/** At most `shown` of them, and how many more there are. */
export function someOf(names: readonly string[], shown = 3): string {
  const more = names.length > shown ? ` and ${names.length - shown} more` : '';
  return `${names.slice(0, shown).join(', ')}${more}`;
}
