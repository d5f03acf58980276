/**
 * A JPEG without what does not bear on its pixels: EXIF, colour profiles, gain maps, thumbnails, comments. JFIF
 * (APP0) and Adobe (APP14) stay, because they say how colours are coded. Markers that do not follow each other
 * as they should are left to the decoder.
 */
export function bareJpeg(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    const end = at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (marker < 0xc0 || marker === 0xff || marker === startOfScan || end > bytes.length) break;
    if (!isAside(marker)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  kept.push(bytes.subarray(at));
  return Buffer.concat(kept);
}

const startOfScan = 0xda;
const comment = 0xfe;

function isAside(marker: number): boolean {
  const application = marker - 0xe0;
  return marker === comment || (application >= 1 && application <= 15 && application !== 14);
}
