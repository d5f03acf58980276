import { saveAnew } from './broken.ts';

/** The picture formats that are read, told by their first bytes, never by the file's name. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff';

interface OtherFormat {
  name: string;
  fix: string;
  matches: (start: string) => boolean;
}

/** What the bytes are: one of the formats, or one that is known but not read, or neither. */
export function sniff(bytes: Uint8Array): { format?: ImageFormat; other?: OtherFormat } {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return { format: 'png' };
  if (start.startsWith('\xff\xd8\xff')) return { format: 'jpeg' };
  if (start.startsWith('RIFF') && start.slice(8, 12) === 'WEBP') return { format: 'webp' };
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return { format: 'gif' };
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return { format: 'tiff' };
  return { other: others.find(({ matches }) => matches(start)) };
}

/** Formats that Pillow may read and sharp's build does not, and files that are often taken for pictures. */
const others: OtherFormat[] = [
  { name: 'BMP', fix: saveAnew, matches: (start) => start.startsWith('BM') },
  {
    name: 'BigTIFF',
    fix: saveAnew,
    matches: (start) => start.startsWith('II+\0') || start.startsWith('MM\0+'),
  },
  { name: 'AVIF or HEIC', fix: saveAnew, matches: (start) => start.slice(4, 8) === 'ftyp' },
  {
    name: 'JPEG 2000',
    fix: saveAnew,
    matches: (start) => start.slice(4, 8) === 'jP  ' || start.startsWith('\xff\x4f\xff\x51'),
  },
  { name: 'PDF', fix: saveAnew, matches: (start) => start.startsWith('%PDF') },
  {
    name: 'a Git LFS pointer',
    fix: 'Run `git lfs pull` where the data comes from, then copy the picture itself.',
    matches: (start) => start.startsWith('version https://'),
  },
  {
    name: 'HTML, XML or SVG',
    fix: 'The download may have saved a web page in place of the picture: fetch it again.',
    matches: (start) => start.trimStart().startsWith('<'),
  },
];
