import { createHash } from 'node:crypto';
import type { RgbImage } from '../processor.ts';

/** The same for the same pixels at the same size, and for no others: SHA-256 of both, base64. */
export function contentOf({ width, height, data }: RgbImage): string {
  return createHash('sha256').update(`${width}x${height} `).update(data).digest('base64');
}
