/**
 * JSON as it comes from files nobody vouches for. Stricter than JSON.parse where that is silent: a key that stands
 * twice and a `__proto__` key are refused, nesting is bounded, objects have no prototype.
 */
import { readFile, stat } from 'node:fs/promises';
import { type ErrorCode, LorikeetError } from '../errors.ts';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export const depthLimit = 64;
/** Keeps what a small text can make of memory within bounds: `{},{},...` takes a hundred times its bytes. */
export const valueLimit = 4_000_000;

/**
 * Whether a JSON text may hold more than `most` values: it does not look into strings, and counts what parts and opens values.
 * For texts that JSON.parse reads, which would take a hundred times their bytes of `[[],[],...`.
 */
export function holdsMoreValues(bytes: Uint8Array, most: number): boolean {
  if (bytes.length <= most) return false;
  let values = 0;
  let isInString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x22) isInString = !isInString;
    else if (isInString) {
      if (byte === 0x5c) i++;
    } else if (byte === 0x2c || byte === 0x5b || byte === 0x7b) {
      if (++values > most) return true;
    }
  }
  return false;
}

const space = /[ \t\n\r]*/y;
// Linear and without a stack entry for each character; JSON.parse then judges the escapes.
const quoted = /"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"/y;
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;

/** Parses a whole text; throws a SyntaxError that says where (character) and what. */
export function parseJson(text: string): Json {
  let at = 0;
  let values = 0;
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const skipSpace = () => match(space);
  const take = (character: string): boolean => {
    skipSpace();
    if (text[at] !== character) return false;
    at++;
    return true;
  };
  const parseString = (): string => {
    const raw = match(quoted) ?? fail('expected a string in double quotes');
    return JSON.parse(raw) as string;
  };
  const parseObject = (depth: number): JsonObject => {
    const object: JsonObject = Object.create(null);
    if (take('}')) return object;
    do {
      skipSpace();
      const key = parseString();
      if (key === '__proto__') fail('the key "__proto__" is not allowed');
      if (key in object) fail(`the key ${JSON.stringify(key)} stands twice`);
      if (!take(':')) fail('expected ":"');
      object[key] = parseValue(depth);
    } while (take(','));
    if (!take('}')) fail('expected "," or "}"');
    return object;
  };
  const parseArray = (depth: number): Json[] => {
    const items: Json[] = [];
    if (take(']')) return items;
    do items.push(parseValue(depth));
    while (take(','));
    if (!take(']')) fail('expected "," or "]"');
    return items;
  };
  const parseValue = (depth: number): Json => {
    if (depth > depthLimit) fail(`nested deeper than ${depthLimit} levels`);
    if (++values > valueLimit) fail(`more than ${valueLimit} values`);
    skipSpace();
    if (text[at] === '"') return parseString();
    if (take('{')) return parseObject(depth + 1);
    if (take('[')) return parseArray(depth + 1);
    return JSON.parse(match(literal) ?? fail('expected a JSON value')) as Json;
  };
  const value = parseValue(0);
  skipSpace();
  if (at !== text.length) fail('expected the end of the text');
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a JSON object from a file of at most `limit` bytes; throws `code` errors that name the file. */
export async function readJsonObject(
  file: string,
  code: ErrorCode,
  limit = 64 * 1024 * 1024,
): Promise<JsonObject> {
  const text = await readText(file, code, limit);
  let value: Json;
  try {
    value = parseJson(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new LorikeetError(code, {
      file,
      what: `is not valid JSON: ${(cause as Error).message}`,
      fix: 'Get the file again from where it came from; it may be cut off or edited.',
      cause,
    });
  }
  if (!isObject(value)) {
    throw new LorikeetError(code, {
      file,
      what: `expected a JSON object, got ${Array.isArray(value) ? 'an array' : typeof value}`,
    });
  }
  return value;
}

async function readText(file: string, code: ErrorCode, limit: number): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > limit) {
      throw new LorikeetError(code, {
        file,
        what: `expected at most ${limit} bytes of JSON, got ${size}`,
        fix: 'This does not look like the file that its name promises.',
      });
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new LorikeetError(code, {
        file,
        what: 'expected this file, found none',
        fix: 'Get it from the same place as the other files of its folder.',
        cause,
      });
    }
    throw new LorikeetError(code, {
      file,
      what: `could not be read: ${(cause as Error).message}`,
      fix: 'Check that the file is there, can be read and is UTF-8.',
      cause,
    });
  }
}
