import { z } from 'zod';

/** Powers of ten, as disks and their free space are told; MiB and GiB are those of two. */
const units: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Bytes of `4GB`, `500 MB`, `0.5GiB`, `off` (none) or a number of bytes; undefined for what is no size. */
export function bytesOf(size: unknown): number | undefined {
  if (size === 'off') return 0;
  if (typeof size === 'number') return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
  const found =
    typeof size === 'string' ? /^(\d{1,12}(?:\.\d{1,12})?) ?([kmgt]?i?b)$/i.exec(size) : undefined;
  const unit = found && units[found[2].toLowerCase()];
  return unit ? Math.round(Number(found[1]) * unit) : undefined;
}

export const byteSize = z.custom<string | number>((value) => bytesOf(value) !== undefined, {
  error: 'a size such as 4GB or 500MB, or off',
});
