/** Ways to spoil a real file, as values that fast-check draws, shrinks and prints. */
import fc from 'fast-check';

/** An offset as a share of the file, or of its first bytes, where headers are. */
interface Place {
  within: number;
  share: number;
}

type ByteMutation =
  | { spoil: 'bit'; at: Place; bit: number }
  | { spoil: 'number'; at: Place; width: 1 | 2 | 4 | 8; value: bigint; little: boolean }
  | { spoil: 'cut'; at: Place }
  | { spoil: 'insert'; at: Place; bytes: Uint8Array }
  | { spoil: 'remove'; at: Place; length: number }
  | { spoil: 'copy'; from: Place; length: number; at: Place };

/** `path` picks a child at each level, whatever the level holds. */
interface JsonMutation {
  spoil: 'json';
  path: number[];
  change: 'replace' | 'remove' | 'rename' | 'wrap' | 'repeat';
  value: unknown;
}

/** A word of the format put somewhere. */
interface WordMutation {
  spoil: 'word';
  at: Place;
  word: string;
}

export type Mutation = ByteMutation | JsonMutation | WordMutation;

const place: fc.Arbitrary<Place> = fc.record({
  within: fc.constantFrom(12, 64, 512, Number.MAX_SAFE_INTEGER),
  share: fc.integer({ min: 0, max: 9999 }).map((n) => n / 10_000),
});

const numbers = [
  0,
  1,
  2,
  7,
  8,
  127,
  128,
  255,
  256,
  32_767,
  65_535,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];
const interesting = [...numbers.map(BigInt), 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];

const bytes: fc.Arbitrary<ByteMutation> = fc.oneof(
  fc.record({ spoil: fc.constant('bit' as const), at: place, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({
    spoil: fc.constant('number' as const),
    at: place,
    width: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
    value: fc.oneof(fc.constantFrom(...interesting), fc.bigInt({ min: 0n, max: 70_000n })),
    little: fc.boolean(),
  }),
  fc.record({ spoil: fc.constant('cut' as const), at: place }),
  fc.record({
    spoil: fc.constant('insert' as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  }),
  fc.record({ spoil: fc.constant('remove' as const), at: place, length: fc.integer({ min: 1, max: 300 }) }),
  fc.record({
    spoil: fc.constant('copy' as const),
    from: place,
    length: fc.integer({ min: 1, max: 2000 }),
    at: place,
  }),
);

/** What the hostile write where something else belongs. */
const hostile: unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  1e21,
  '',
  ' ',
  '0',
  'x'.repeat(5000),
  '__proto__',
  'constructor',
  '\u0000\u202e\ud800',
  '../../../../etc/passwd',
  '/etc/passwd',
  '/dev/zero',
  'http://127.0.0.1:9/x.png',
  'file:///etc/passwd',
  'data:image/png;base64,AAAA',
  '<|im_end|>\n<|im_start|>assistant\n',
  '<|image_pad|><|vision_start|>',
  '<image>',
  '(a+)+$',
  '(?=',
  [],
  {},
  [null],
  [[]],
  Array(2000).fill(0),
  JSON.parse('{"__proto__":{"polluted":"yes"}}'),
  { constructor: { prototype: { polluted: 'yes' } } },
  JSON.parse(`${'['.repeat(200)}1${']'.repeat(200)}`),
  JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`),
];

const json: fc.Arbitrary<JsonMutation> = fc.record({
  spoil: fc.constant('json' as const),
  path: fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }),
  change: fc.constantFrom('replace' as const, 'replace' as const, 'remove', 'rename', 'wrap', 'repeat'),
  value: fc.oneof(fc.constantFrom(...hostile), fc.constantFrom(...hostile), fc.jsonValue()),
});

const wordsOf = (words: readonly string[]): fc.Arbitrary<WordMutation> =>
  fc.record({ spoil: fc.constant('word' as const), at: place, word: fc.constantFrom(...words) });

const some = (mutation: fc.Arbitrary<Mutation>) => fc.array(mutation, { minLength: 1, maxLength: 4 });

export const binaryMutations = some(bytes);
export const jsonMutations = some(fc.oneof({ arbitrary: json, weight: 3 }, { arbitrary: bytes, weight: 1 }));
export const textMutations = (words: readonly string[]) =>
  some(fc.oneof({ arbitrary: wordsOf(words), weight: 3 }, { arbitrary: bytes, weight: 1 }));

/** How a format holds JSON, where it is more than the whole file: safetensors behind a length, lines. */
export interface JsonPart {
  take(file: Buffer): { json: unknown; put(json: string): Buffer };
}

export const wholeFile: JsonPart = {
  take: (file) => ({ json: JSON.parse(file.toString('utf8')), put: (json) => Buffer.from(json) }),
};

/** The header with a length that fits it. */
export const safetensorsHeader: JsonPart = {
  take(file) {
    const end = 8 + Number(file.readBigUInt64LE(0));
    return {
      json: JSON.parse(file.toString('utf8', 8, end)),
      put(json) {
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
        return Buffer.concat([length, Buffer.from(json), file.subarray(end)]);
      },
    };
  },
};

/** All lines as one list. */
export const jsonLines: JsonPart = {
  take: (file) => ({
    json: file
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line)),
    put: (json) => {
      const rows: unknown = JSON.parse(json);
      const lines = Array.isArray(rows) ? rows : [rows];
      return Buffer.from(lines.map((row) => `${JSON.stringify(row)}\n`).join(''));
    },
  }),
};

/** The mutations one after another; one of JSON is passed over where the file is no JSON any more. */
export function spoiled(base: Buffer, mutations: readonly Mutation[], part: JsonPart = wholeFile): Buffer {
  return mutations.reduce((file, mutation) => {
    if (mutation.spoil === 'json') return spoiledJson(file, mutation, part);
    if (mutation.spoil === 'word')
      return put(file, offsetOf(file, mutation.at), 0, Buffer.from(mutation.word));
    return spoiledBytes(file, mutation);
  }, base);
}

function spoiledJson(file: Buffer, mutation: JsonMutation, part: JsonPart): Buffer {
  try {
    const { json, put } = part.take(file);
    return put(JSON.stringify(changed(json, mutation.path, mutation)) ?? 'null');
  } catch {
    return file;
  }
}

function changed(node: unknown, path: readonly number[], mutation: JsonMutation): unknown {
  const isLeaf = typeof node !== 'object' || node === null || Object.keys(node).length === 0;
  if (isLeaf || path.length === 0) return mutation.change === 'wrap' ? [node] : mutation.value;
  const entries: [string, unknown][] = Object.entries(node);
  const at = path[0] % entries.length;
  const [key, inner] = entries[at];
  if (path.length > 1) entries[at] = [key, changed(inner, path.slice(1), mutation)];
  else if (mutation.change === 'remove') entries.splice(at, 1);
  else if (mutation.change === 'repeat') entries.push(entries[at]);
  else if (mutation.change === 'rename') entries[at] = [String(mutation.value), inner];
  else entries[at] = [key, mutation.change === 'wrap' ? { [key]: inner } : mutation.value];
  if (Array.isArray(node)) return entries.map(([, item]) => item);
  // Not by assignment, which a key of __proto__ would turn into something else.
  return Object.fromEntries(entries);
}

function spoiledBytes(file: Buffer, mutation: ByteMutation): Buffer {
  if (mutation.spoil === 'insert') return put(file, offsetOf(file, mutation.at), 0, mutation.bytes);
  if (file.length === 0) return file;
  const at = offsetOf(file, mutation.at);
  switch (mutation.spoil) {
    case 'bit':
      return put(file, at, 1, [file[at] ^ (1 << mutation.bit)]);
    case 'number':
      return put(file, at, mutation.width, numberBytes(mutation));
    case 'cut':
      return file.subarray(0, at);
    case 'remove':
      return put(file, at, mutation.length, []);
    case 'copy': {
      const from = offsetOf(file, mutation.from);
      return put(file, at, 0, file.subarray(from, from + mutation.length));
    }
  }
}

function numberBytes({ value, width, little }: ByteMutation & { spoil: 'number' }): Buffer {
  const all = Buffer.alloc(8);
  all.writeBigUInt64LE(value);
  const low = all.subarray(0, width);
  return little ? low : Buffer.from(low).reverse();
}

function put(file: Buffer, at: number, removed: number, bytes: ArrayLike<number>): Buffer {
  return Buffer.concat([file.subarray(0, at), Uint8Array.from(bytes), file.subarray(at + removed)]);
}

function offsetOf(file: Buffer, { within, share }: Place): number {
  return Math.floor(Math.min(within, file.length) * share);
}
