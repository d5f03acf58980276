import { LorikeetError } from '../../errors.ts';
import type { ImageReference } from '../example.ts';
import type { RgbImage } from '../processor.ts';
import { BrokenImage, saveAnew } from './broken.ts';
import { type RawImage, type SixteenBit, toRgb } from './channels.ts';
import { type ImageFormat, sniff } from './formats.ts';
import { decodeGif, gifSize } from './gif.ts';
import { bareJpeg, jpegSize } from './jpeg.ts';
import { isTurned, turnUpright } from './orientation.ts';
import { pixelBudget } from './pixel-budget.ts';
import { isGreyWithAlpha, pngSize } from './png.ts';
import { type Metadata, type SharpOptions, sharp } from './sharp.ts';
import { nameOf, readSource, readStart } from './source.ts';
import { readTiffHeader } from './tiff.ts';

/** Where Pillow stops with a DecompressionBombError: twice its MAX_IMAGE_PIXELS. */
export const maxImagePixels = 2 * 89_478_485;

/** Several of the largest at once, a few kilobytes each as files, would fill the memory. */
const decodedTogether = pixelBudget(maxImagePixels);

/** Profiles are ignored; what Pillow refuses is refused, and mere warnings are not. */
const lenient: SharpOptions = { ignoreIcc: true, autoOrient: false, failOn: 'none', limitInputPixels: false };
const strict: SharpOptions = { ...lenient, failOn: 'error', limitInputPixels: maxImagePixels };

export interface DecodeOptions {
  /** Default `clip`. */
  sixteenBit?: SixteenBit;
}

export interface DecodedImage extends RgbImage {
  /** It is stored as 16-bit grey, which 8 bits cannot hold as it is. */
  isSixteenBitGrey: boolean;
}

/**
 * Decodes PNG, JPEG, WebP, GIF (first frame) or TIFF (first page) to what Pillow's
 * `Image.open(...).convert("RGB")` gives, byte for byte, 16-bit grey apart where it is to be scaled. EXIF rotation and
 * colour profiles are left alone.
 * Throws an `image` error for a picture that is missing, damaged, cut short, too large or of another format.
 */
export async function decodeImage(
  reference: ImageReference,
  { sixteenBit = 'clip' }: DecodeOptions = {},
): Promise<DecodedImage> {
  const bytes = await readSource(reference);
  return explained(reference, async () => {
    const format = formatOf(bytes);
    const { width, height } = checkSize(await sizeOf(bytes, format));
    return decodedTogether(width * height, async () => {
      if (format === 'gif') return { ...decodeGif(bytes), isSixteenBitGrey: false };
      return decodeWithSharp(bytes, format, sixteenBit);
    });
  });
}

/** Width and height from the header alone. Throws as `decodeImage` does, but cannot see damage to the pixels. */
export async function imageSize(reference: ImageReference): Promise<{ width: number; height: number }> {
  const start = await readStart(reference);
  const read = async (bytes: Uint8Array) => {
    return checkSize(await sizeOf(bytes, formatOf(bytes)));
  };
  if (start.isWhole) return explained(reference, () => read(start.bytes));
  // A header that reaches past the start (a TIFF directory, a long profile) needs the whole file.
  return read(start.bytes).catch(async () => {
    const bytes = await readSource(reference);
    return explained(reference, () => read(bytes));
  });
}

async function explained<T>(reference: ImageReference, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    const isOurs = cause instanceof BrokenImage;
    const [reason] = (cause as Error).message.split('\n');
    // libvips keeps its message for the process: where several pictures break at once, one of them has it.
    const told = reason === 'Unknown error' ? '' : ` (${reason})`;
    throw new LorikeetError('image', {
      what: isOurs ? reason : `expected a whole picture, got one that is damaged or cut short${told}`,
      fix: (isOurs && cause.fix) || 'Copy or download it again, or take its row out of the data.',
      file: nameOf(reference),
      cause,
    });
  }
}

function formatOf(bytes: Uint8Array): ImageFormat {
  const { format, other } = sniff(bytes);
  if (format) return format;
  const what = 'expected PNG, JPEG, WebP, GIF or TIFF';
  if (other) throw new BrokenImage(`${what}, got ${other.name}`, other.fix);
  throw new BrokenImage(`${what}, got bytes of no known picture format`);
}

async function sizeOf(bytes: Uint8Array, format: ImageFormat): Promise<{ width: number; height: number }> {
  // A data set has its sizes read at the start: these three come without a trip through the decoder.
  const known = format === 'png' ? pngSize(bytes) : format === 'jpeg' ? jpegSize(bytes) : undefined;
  if (known) return known;
  if (format === 'gif') return gifSize(bytes);
  const turned = format === 'tiff' && isTurned(readTiffHeader(bytes).orientation);
  const { width, height } = await sharp(bytes, lenient).metadata();
  return turned ? { width: height, height: width } : { width, height };
}

function checkSize({ width, height }: { width: number; height: number }): { width: number; height: number } {
  if (!(width > 0 && height > 0)) throw new BrokenImage(`expected a picture, got ${width}x${height} pixels`);
  if (width * height <= maxImagePixels) return { width, height };
  throw new BrokenImage(
    `expected at most ${maxImagePixels} pixels, got ${width}x${height} = ${width * height}`,
    'Save it smaller.',
  );
}

async function decodeWithSharp(
  bytes: Uint8Array,
  format: ImageFormat,
  sixteenBit: SixteenBit,
): Promise<DecodedImage> {
  const source = format === 'jpeg' ? bareJpeg(bytes) : bytes;
  const raw = await rawChannels(source, await sharp(source, strict).metadata());
  const image = toRgb(raw, { sixteenBit, greyWithAlpha: format === 'png' && isGreyWithAlpha(bytes) });
  const upright = format === 'tiff' ? turnUpright(image, readTiffHeader(bytes).orientation) : image;
  return { ...upright, isSixteenBitGrey: raw.kind === 'grey' && raw.data instanceof Uint16Array };
}

const kinds: Record<string, RawImage['kind']> = {
  'b-w': 'grey',
  grey16: 'grey',
  srgb: 'rgb',
  rgb16: 'rgb',
  cmyk: 'cmyk',
};

/** The channels as they are stored: asking for the space and depth that are there keeps sharp from converting. */
async function rawChannels(source: Uint8Array, { space, depth }: Metadata): Promise<RawImage> {
  const kind = kinds[space ?? ''];
  if (!kind || (depth !== 'uchar' && depth !== 'ushort')) {
    throw new BrokenImage(`expected 8-bit or 16-bit grey, RGB or CMYK, got ${depth} ${space}`, saveAnew);
  }
  const pipeline = sharp(source, strict);
  if (kind === 'cmyk') pipeline.pipelineColourspace('cmyk');
  const { data, info } = await pipeline
    .toColourspace(space as string)
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const valueBytes = depth === 'uchar' ? 1 : 2;
  if (data.length !== width * height * channels * valueBytes) {
    throw new BrokenImage(
      `expected ${width}x${height} pixels of ${channels} channels, got ${data.length} bytes`,
    );
  }
  return {
    width,
    height,
    channels,
    kind,
    data: valueBytes === 1 ? data : new Uint16Array(Uint8Array.from(data).buffer),
  };
}
