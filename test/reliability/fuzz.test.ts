/**
 * A few spoiled files of every kind, always the same; `npx jiti test/reliability/fuzz.ts` draws as many as one likes. What it
 * found once stands as a test of its own beside the code that it was found in.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fuzz } from './fuzz-cases.ts';
import { targets } from './targets.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whole pages are drawn of these. */
const isSlow = (name: string) => /^(run\.json|metrics\.jsonl|scores)$/.test(name);

describe('a spoiled file ends in an error that is told, or is read right', () => {
  it.each(targets.map((target, i) => [target.name, target, i] as const))('%s', async (name, target, i) => {
    const cases = isSlow(name) ? 25 : 80;
    const tally = await fuzz(target, { folder: mkdtempSync(join(folder, 'of-')), cases, seed: 42 + i });
    expect(tally.failure).toBeUndefined();
    expect(tally.read + tally.refused).toBe(cases);
  });
});
