/** Small files that unpack to large ones: refused by what they promise, or read without what they hide. */
import { deflateSync } from 'node:zlib';
import { crc32 } from '@node-rs/crc32';
import { describe, expect, it } from 'vitest';
import { readYaml } from '../../src/config/source.ts';
import { decodeImage } from '../../src/data/image/decode.ts';

function chunk(type: string, data: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** 8 x 8 pixels in RGB, with what `extra` puts before them. */
function png(extra: Buffer, pixels: Buffer = deflateSync(Buffer.alloc(8 * 25))): Buffer {
  const header = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]);
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    start,
    chunk('IHDR', header),
    extra,
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const megabyte = 2 ** 20;
const zeros = deflateSync(Buffer.alloc(256 * megabyte));
const named = (head: number[]) => Buffer.concat([Buffer.from(head), zeros]);

describe('a picture that hides 256 MB in 256 KB', () => {
  it.each([
    ['as text', png(chunk('zTXt', named([0x61, 0, 0])))],
    ['as international text', png(chunk('iTXt', named([0x61, 0, 1, 0, 0, 0])))],
    ['as a colour profile', png(chunk('iCCP', named([0x61, 0, 0])))],
    ['behind its last pixel', png(Buffer.alloc(0), zeros)],
  ])('%s is read without it', async (_, bytes) => {
    const before = process.memoryUsage.rss();
    const { width, height, data } = await decodeImage({ held: 'bomb', bytes });
    expect([width, height, data.length]).toEqual([8, 8, 192]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 * megabyte);
  });
});

describe('a config', () => {
  it('whose aliases multiply is refused', () => {
    const lists = ['a: &l0 [x,x,x,x,x,x,x,x,x]'];
    for (let n = 1; n < 12; n++)
      lists.push(
        `l${n}: &l${n} [${Array(9)
          .fill(`*l${n - 1}`)
          .join()}]`,
      );
    expect(() => readYaml(lists.join('\n'), 'bomb.yaml')).toThrow(
      /bomb\.yaml: cannot be read as YAML: Excessive alias/,
    );
  });
});
