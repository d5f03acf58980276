import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

type Sized = [width: number, height: number, sha256: string];

export interface ExpectedImage {
  size: [width: number, height: number];
  mode: string;
  rgb: string;
  resized: Sized[];
  /** Absent where the processor refuses the shape. */
  grid?: [number, number, number];
  values?: string;
  refusedCuts: number[];
}

/** What `reference/make_images.py` wrote. */
export interface Expected {
  limits: { minPixels: number; maxPixels: number };
  images: Record<string, ExpectedImage>;
  resample: [width: number, height: number, toWidth: number, toHeight: number, sha256: string][];
  /** width, height, factor, minPixels, maxPixels, and the width and height that come of them. */
  smartResize: [number, number, number, number, number, number, number][];
  savedConfig: Record<string, unknown>;
}

export const folder = new URL('../../fixtures/images/', import.meta.url);

export const expected: Expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));

/** Pictures of the VQA-RAD data set, by file name. */
export const realImages: Record<
  string,
  Required<Pick<ExpectedImage, 'size' | 'rgb' | 'grid' | 'values'>>
> = JSON.parse(readFileSync(new URL('vqa-rad.json', folder), 'utf8'));

/** Where those pictures are on machines that have them. */
export const realFolder = new URL('../../../../shared/data/vqa-rad/images/', import.meta.url);

export function sha256(values: Uint8Array | Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}
