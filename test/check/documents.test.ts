import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { makeData } from '../../demo/make-data.ts';
import { describeCheck } from '../../src/check/describe.ts';
import { check } from '../../src/train/check.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('docs/check.md shows what the check says of the demo data', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-check-'));
  await makeData(folder);
  const [train, validation] = ['train.jsonl', 'validation.jsonl'].map((name) => join(folder, name));
  const config = { model: join(root, 'demo/base'), data: { train, validation }, output: join(folder, 'run') };
  const lines: string[] = [];
  for await (const event of check(config))
    if (event.type === 'checked') lines.push(...describeCheck(event.check));
  rmSync(folder, { recursive: true });
  const shown = /```\n(Rows[\s\S]+?)```/.exec(readFileSync(join(root, 'docs/check.md'), 'utf8'))?.[1];
  expect(`${lines.join('\n')}\n`).toBe(shown);
});
