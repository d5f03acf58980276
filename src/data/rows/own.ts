/** Reading parsed JSON by its own properties only, so that no name in a file reaches a prototype. */

export type JsonObject = { [name: string]: unknown };

export function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a name that the object itself has; undefined where it is absent or null, as exports write absence. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

/** What a value is, for error messages: its kind, and itself where that is short. */
export function named(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (isRecord(value)) return `an object with ${Object.keys(value).slice(0, 8).join(', ') || 'no names'}`;
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
