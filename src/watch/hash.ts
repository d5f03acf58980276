import { createHash } from 'node:crypto';

/** 48 bits: enough to see that something changed. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
