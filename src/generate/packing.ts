/** Whether a decoding session packs its weights: several times as fast for one row, for an f32 copy in memory. */
import { byteWidth } from '../dtype.ts';
import type { Parameter } from '../nn/network.ts';

export interface Packing {
  packed: boolean;
  reason: string;
}

/** Share of the available memory that the copy may take; while it is made, some of it stands there twice. */
const share = 0.5;

/** Packs where an f32 copy of the matrices that decoding reads fits into half of the memory that is available. */
export function choosePacking(
  parameters: ReadonlyMap<string, Parameter>,
  asked?: boolean,
  available = process.availableMemory(),
): Packing {
  if (asked !== undefined) return { packed: asked, reason: 'as asked' };
  const matrices = [...parameters.values()].filter((parameter) => isRead(parameter, parameters));
  const bytes = matrices.reduce((sum, { location }) => {
    return sum + (location!.byteLength / byteWidth[location!.dtype]) * byteWidth.f32;
  }, 0);
  const packed = bytes <= share * available;
  return { packed, reason: `an f32 copy takes ${gigabytes(bytes)} of ${gigabytes(available)} available` };
}

const head = 'lm_head.weight';

/** A matrix of the text decoder or the head; of an embedding table only where it is the head too. */
const isRead = ({ name, shape }: Parameter, all: ReadonlyMap<string, Parameter>) =>
  shape.length === 2 &&
  !name.startsWith('model.visual.') &&
  !(name.endsWith('embed_tokens.weight') && all.has(head));

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GB`;
