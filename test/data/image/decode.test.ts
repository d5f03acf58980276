import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decodeImage, imageSize, maxImagePixels } from '../../../src/data/image/decode.ts';
import { resizeBicubic } from '../../../src/data/image/resample.ts';
import { LorikeetError } from '../../../src/errors.ts';
import { expected, folder, realFolder, realImages, sha256 } from './expected.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lorikeet-image-'));
const pathOf = (name: string) => fileURLToPath(new URL(name, folder));
const bytesOf = (name: string) => readFileSync(pathOf(name));

function written(name: string, bytes: Uint8Array | string): string {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

async function refusal(work: Promise<unknown>): Promise<LorikeetError> {
  const error = await work.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(LorikeetError);
  expect(error.code).toBe('image');
  expect(error.fix).toBeTruthy();
  return error;
}

describe.each(Object.entries(expected.images))('%s', (name, { size, rgb, resized, refusedCuts }) => {
  test('has the bytes of Pillow\'s convert("RGB")', async () => {
    const image = await decodeImage({ path: pathOf(name) });
    expect([image.width, image.height]).toEqual(size);
    expect(sha256(image.data)).toBe(rgb);
    for (const [width, height, sha] of resized) {
      expect(sha256(resizeBicubic(image, width, height).data)).toBe(sha);
    }
  });

  test('has its size read from the header, and the same from a data URL', async () => {
    const [width, height] = size;
    const dataUrl = `data:image/png;base64,${bytesOf(name).toString('base64')}`;
    expect(await imageSize({ path: pathOf(name) })).toEqual({ width, height });
    expect(await imageSize({ dataUrl })).toEqual({ width, height });
    expect(sha256((await decodeImage({ dataUrl })).data)).toBe(rgb);
  });

  test('is refused where it is cut short and Pillow refuses it', async () => {
    for (const length of refusedCuts) {
      const path = written(`${length}-${name}`, bytesOf(name).subarray(0, length));
      const error = await refusal(decodeImage({ path }));
      expect(error.message).toContain(path);
    }
  });
});

describe.skipIf(!existsSync(realFolder))('VQA-RAD pictures (skipped without ../shared/data)', () => {
  test.each(Object.entries(realImages))('%s', async (name, { size, rgb }) => {
    const path = fileURLToPath(new URL(name, realFolder));
    const image = await decodeImage({ path });
    expect([image.width, image.height]).toEqual(size);
    expect(sha256(image.data)).toBe(rgb);
    expect(await imageSize({ path })).toEqual({ width: size[0], height: size[1] });
  });
});

describe('a picture that cannot be used', () => {
  test.skipIf(process.platform === 'win32')('because it is a pipe that nobody writes to', async () => {
    const path = join(scratch, 'pipe.png');
    execFileSync('mkfifo', [path]);
    expect((await refusal(decodeImage({ path }))).message).toContain('something that is not a file');
    expect((await refusal(imageSize({ path }))).message).toContain('something that is not a file');
  });

  const both = [decodeImage, imageSize];

  test.each(both)('missing: names the path and says so (%o)', async (read) => {
    const path = join(scratch, 'absent.png');
    expect((await refusal(read({ path }))).message).toMatch(/absent\.png: .*no such file/);
  });

  test.each(both)('a folder, an empty file, text (%o)', async (read) => {
    expect((await refusal(read({ path: scratch }))).what).toMatch(/not a file/);
    expect((await refusal(read({ path: written('empty.png', '') }))).what).toMatch(/0 bytes/);
    expect((await refusal(read({ path: written('text.png', 'hello') }))).what).toMatch(/no known picture/);
    expect((await refusal(read({ path: written('page.png', '<!doctype html>') }))).what).toMatch(/HTML/);
    expect((await refusal(read({ path: written('lfs.jpg', 'version https://git-lfs.x') }))).fix).toMatch(
      /lfs pull/,
    );
    expect((await refusal(read({ path: written('a.bmp', 'BM000000') }))).what).toMatch(/got BMP/);
  });

  test.each(both)('a bomb is refused by its header, before any decoding (%o)', async (read) => {
    const png = Uint8Array.from(bytesOf('rgb.png'));
    new DataView(png.buffer).setUint32(16, 60_000);
    new DataView(png.buffer).setUint32(20, 60_000);
    expect((await refusal(read({ path: written('bomb.png', png) }))).what).toContain(
      `${maxImagePixels} pixels`,
    );
    const gif = Uint8Array.from(bytesOf('palette.gif'));
    gif.fill(255, 6, 10);
    expect((await refusal(read({ path: written('bomb.gif', gif) }))).what).toContain('65535x65535');
  });

  test.each(both)('no pixels (%o)', async (read) => {
    const png = Uint8Array.from(bytesOf('rgb.png'));
    png.fill(0, 16, 20);
    expect((await refusal(read({ path: written('none.png', png) }))).what).toContain('0x29 pixels');
  });

  test('pixels that are damaged', async () => {
    const png = Uint8Array.from(bytesOf('rgb.png'));
    png.fill(7, 300, 400);
    expect((await refusal(decodeImage({ path: written('hurt.png', png) }))).what).toMatch(/damaged/);
  });

  test('a TIFF that other readers see otherwise', async () => {
    const tiff = Uint8Array.from(bytesOf('rgb.tif'));
    const at = tiff.findIndex((_, i) => tiff[i] === 6 && tiff[i + 1] === 1 && tiff[i + 2] === 3);
    tiff[at + 8] = 8;
    expect((await refusal(decodeImage({ path: written('lab.tif', tiff) }))).what).toMatch(/kind 8/);
  });
});

describe('a data URL', () => {
  const good = bytesOf('rgb.png').toString('base64');

  test('may have parameters and line breaks', async () => {
    const dataUrl = `data:image/png;name=a.png;base64,${good.replace(/.{76}/g, '$&\r\n')}`;
    expect(sha256((await decodeImage({ dataUrl })).data)).toBe(expected.images['rgb.png'].rgb);
  });

  test.each([
    ['another scheme', `http://x/${good}`, /begins with data:image/],
    ['no base64', `data:image/png,${good}`, /begins with data:image/],
    ['a foreign character', `data:image/png;base64,AA*A${good}`, /got "\*" at character 2/],
    ['padding in the middle', `data:image/png;base64,AA==${good}`, /got "=" at character/],
    ['a length that is off', `data:image/png;base64,${good.slice(0, 401)}`, /multiple of 4, got 401/],
    ['nothing', 'data:image/png;base64,', /0 bytes/],
  ])('with %s is refused in few words', async (_, dataUrl, what) => {
    const error = await refusal(decodeImage({ dataUrl }));
    expect(error.what).toMatch(what);
    expect(error.message.length).toBeLessThan(400);
  });
});
