/** When a decoding session packs its weights: less time for each token, for an f32 copy in memory that takes time too. */
import { byteWidth } from '../dtype.ts';
import type { Parameter } from '../nn/network.ts';

export interface Packing {
  /** After this many runs that decode a token (of one text or several); 0 from the start, Infinity never. */
  after: number;
  reason: string;
}

/** Share of the available memory that the copy may take: the mapped file and other programs want some too. */
const share = 0.5;

/**
 * Tokens whose saving makes up for packing, whatever the size (docs/LOG.md): whoever waits that long before packing
 * loses at most as much again. Halves are cast at every use, so they gain most.
 */
const breakEven = { f32: 512, halves: 32 };

/**
 * Packs once as many tokens were decoded as packing is worth, where an f32 copy of the matrices that decoding reads
 * fits into half of the memory that is available.
 */
export function choosePacking(
  parameters: ReadonlyMap<string, Parameter>,
  asked?: boolean,
  available = process.availableMemory(),
): Packing {
  if (asked !== undefined) return { after: asked ? 0 : Number.POSITIVE_INFINITY, reason: 'as asked' };
  const locations = [...parameters.values()].flatMap((parameter) =>
    parameter.location && isRead(parameter, parameters) ? [parameter.location] : [],
  );
  const bytes = locations.reduce(
    (sum, { byteLength, dtype }) => sum + (byteLength / byteWidth[dtype]) * byteWidth.f32,
    0,
  );
  const reason = `an f32 copy takes ${gigabytes(bytes)} of ${gigabytes(available)} available`;
  if (bytes > share * available) return { after: Number.POSITIVE_INFINITY, reason };
  const isF32 = locations.every(({ dtype }) => dtype === 'f32');
  return { after: isF32 ? breakEven.f32 : breakEven.halves, reason };
}

const head = 'lm_head.weight';

/** A matrix of the text decoder or the head; an embedding table only where it is the head too. */
const isRead = ({ name, shape }: Parameter, all: ReadonlyMap<string, Parameter>) =>
  shape.length === 2 &&
  !name.startsWith('model.visual.') &&
  !(name.endsWith('embed_tokens.weight') && all.has(head));

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GB`;
