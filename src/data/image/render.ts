/** Pictures for people: small copies of what a model saw, drawings as pixels. Nothing here is ever trained on. */
import type { RgbImage } from '../processor.ts';
import { sharp } from './sharp.ts';

/** A JPEG whose longer side is at most `side` pixels; never enlarged. */
export async function thumbnail({ width, height, data }: RgbImage, side: number): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
}

/** An SVG drawing as a PNG of `width` pixels. Its texts are set in the fonts of the system. */
export async function rasterize(svg: string, width: number): Promise<Uint8Array> {
  return sharp(Buffer.from(svg)).resize(width).png().toBuffer();
}
