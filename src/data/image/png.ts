const header = 'IHDR'.split('').map((letter) => letter.charCodeAt(0));

/** Width and height from the IHDR chunk, or nothing where it does not stand first. */
export function pngSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  if (bytes.length < 33 || header.some((code, i) => bytes[12 + i] !== code)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Colour type 4; a grey PNG whose transparency is one level (tRNS) is not of that type. */
export function isGreyWithAlpha(bytes: Uint8Array): boolean {
  return bytes[25] === 4;
}
