interface Segment {
  marker: number;
  start: number;
  end: number;
}

const startOfScan = 0xda;
const comment = 0xfe;

/** Segments up to the first scan, or to where markers do not follow each other as they should. */
function* segments(bytes: Uint8Array): Generator<Segment> {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    const end = at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (marker < 0xc0 || marker === 0xff || marker === startOfScan || end > bytes.length) return;
    yield { marker, start: at, end };
    at = end;
  }
}

/**
 * A JPEG without what does not bear on its pixels: EXIF, colour profiles, gain maps, thumbnails, comments. JFIF
 * (APP0) and Adobe (APP14) stay, because they say how colours are coded. Odd markers are left to the decoder.
 */
export function bareJpeg(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  let rest = 2;
  for (const { marker, start, end } of segments(bytes)) {
    if (!isAside(marker)) kept.push(bytes.subarray(start, end));
    rest = end;
  }
  kept.push(bytes.subarray(rest));
  return Buffer.concat(kept);
}

function isAside(marker: number): boolean {
  const application = marker - 0xe0;
  return marker === comment || (application >= 1 && application <= 15 && application !== 14);
}

/** Width and height from the frame header, or nothing where it is not found in these bytes. */
export function jpegSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  for (const { marker, start, end } of segments(bytes)) {
    if (!isFrame(marker) || end - start < 9) continue;
    const u16 = (at: number) => (bytes[start + at] << 8) | bytes[start + at + 1];
    return { width: u16(7), height: u16(5) };
  }
  return undefined;
}

/** SOF0..SOF15, among which DHT, JPG and DAC have their numbers. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
