import { expect, it } from 'vitest';
import { bytesOf } from '../../src/config/byte-size.ts';

it.each([
  ['4GB', 4e9],
  ['500 MB', 5e8],
  ['0.5GiB', 2 ** 29],
  ['1kb', 1000],
  ['3TB', 3e12],
  ['7B', 7],
  ['off', 0],
  [0, 0],
  [1234, 1234],
])('reads %j as %d bytes', (size, bytes) => {
  expect(bytesOf(size)).toBe(bytes);
});

it.each([
  '',
  '4',
  'GB',
  '4 gigabytes',
  '-1GB',
  '1e3MB',
  '4GB ',
  'on',
  -1,
  1.5,
  Number.NaN,
  true,
  null,
  [],
  `${'9'.repeat(400)}GB`,
])('takes %j for no size', (size) => {
  expect(bytesOf(size)).toBeUndefined();
});
