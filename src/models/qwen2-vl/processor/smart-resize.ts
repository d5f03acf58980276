import { maxImagePixels } from '../../../data/image/decode.ts';
import { roundHalfEven } from '../../../dtype.ts';
import { LorikeetError } from '../../../errors.ts';

export interface ResizeBounds {
  /** Both sides become multiples of this: patch size times merge size. */
  factor: number;
  minPixels: number;
  maxPixels: number;
}

const maxAspectRatio = 200;

/**
 * The size a picture is resized to: sides rounded (half to even) to multiples of `factor`, then scaled to lie
 * within the pixel limits, as `smart_resize` of transformers' Qwen2-VL. Throws an `image` error beyond 200:1.
 */
export function smartResize(
  width: number,
  height: number,
  { factor, minPixels, maxPixels }: ResizeBounds,
): { width: number; height: number } {
  checkShape(width, height);
  const scaled = (round: (x: number) => number, stretch: (side: number) => number) => ({
    width: round(stretch(width) / factor) * factor,
    height: round(stretch(height) / factor) * factor,
  });
  const near = scaled(roundHalfEven, (side) => side);
  if (near.width * near.height > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const small = scaled(Math.floor, (side) => side / shrink);
    return { width: Math.max(factor, small.width), height: Math.max(factor, small.height) };
  }
  if (near.width * near.height < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    return checkEnlarged(scaled(Math.ceil, (side) => side * grow));
  }
  return near;
}

/** A picture that is shrunk or kept was within the limit when it was decoded; one that is enlarged need not be. */
function checkEnlarged(size: { width: number; height: number }): { width: number; height: number } {
  if (size.width * size.height <= maxImagePixels) return size;
  throw new LorikeetError('image', {
    what: `a picture of at most ${maxImagePixels} pixels expected after resizing, got ${size.width}x${size.height}`,
    fix: 'Lower image.minPixels.',
  });
}

function checkShape(width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new LorikeetError('image', {
      what: `a picture's width and height expected whole numbers above 0, got ${width}x${height}`,
      fix: 'Check the file: it holds no pixels.',
    });
  }
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio <= maxAspectRatio) return;
  throw new LorikeetError('image', {
    what: `a picture's aspect ratio expected at most ${maxAspectRatio}, got ${ratio.toFixed(1)} (${width}x${height})`,
    fix: 'Crop the picture, or cut it into several; Qwen2-VL takes none this narrow.',
  });
}
