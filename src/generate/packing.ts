/** Whether a decoding session packs its weights: twice as fast for one row, for a copy of them in memory. */
import type { Parameter } from '../nn/network.ts';

export interface Packing {
  packed: boolean;
  reason: string;
}

/** Share of the available memory that the copy may take. */
const share = 0.5;

/**
 * Packs where the matrices that decoding reads are f32 and their copy fits into half of the memory that is available.
 * Halves are cast at every use, so there is nothing to pack.
 */
export function choosePacking(
  parameters: ReadonlyMap<string, Parameter>,
  asked?: boolean,
  available = process.availableMemory(),
): Packing {
  const matrices = [...parameters.values()].filter(isRead);
  if (asked !== undefined) return { packed: asked, reason: 'asked for' };
  const dtypes = [...new Set(matrices.map(({ location }) => location?.dtype))];
  if (dtypes.some((dtype) => dtype !== 'f32'))
    return { packed: false, reason: `${dtypes.join(', ')} weights are cast at every use` };
  const bytes = matrices.reduce((sum, { location }) => sum + location!.byteLength, 0);
  const packed = bytes <= share * available;
  return { packed, reason: `a copy takes ${gigabytes(bytes)} of ${gigabytes(available)} available` };
}

/** A matrix of the text decoder, the head among them: the table of a tied one is the head. */
const isRead = ({ name, shape }: Parameter) => shape.length === 2 && !name.startsWith('model.visual.');

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GB`;
