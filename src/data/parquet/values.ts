/** Deeper than any data that is meant to be read. */
const maxDepth = 32;

/**
 * A value as JSON would have given it, with two differences: bytes stay bytes, and whole numbers too large for a
 * double stay as their digits. Objects have no prototype, because their names come from the file.
 */
export function plainValue(value: unknown, depth = 0): unknown {
  if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`);
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => plainValue(item, depth + 1));
  if (ArrayBuffer.isView(value))
    return [...(value as unknown as Iterable<unknown>)].map((item) => plainValue(item));
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, item] of Object.entries(value)) object[name] = plainValue(item, depth + 1);
  return object;
}
