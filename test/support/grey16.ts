import { crc32, deflateSync } from 'node:zlib';

/** A PNG in 16-bit grey with these values, row by row: colour type 0, or 4 where each has an alpha value beside it. */
export function grey16Png(width: number, values: readonly number[], withAlpha = false): Buffer {
  const height = values.length / width;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 16;
  head[9] = withAlpha ? 4 : 0;
  const samples = values.map((value) => (withAlpha ? [value, 65535] : [value]));
  const lines = Array.from({ length: height }, (_, y) => {
    const row = samples.slice(y * width, (y + 1) * width).flat();
    return Buffer.from([0, ...row.flatMap((value) => [value >> 8, value & 255])]);
  });
  const parts = [
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.concat(lines))),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
