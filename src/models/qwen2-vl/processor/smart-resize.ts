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
    return scaled(Math.ceil, (side) => side * grow);
  }
  return near;
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
