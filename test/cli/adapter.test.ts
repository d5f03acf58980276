import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeFit } from '../../src/cli/adapter-words.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const fixtures = 'test/fixtures/adapters';

function lorikeet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'adapter', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('lorikeet adapter', () => {
  it('shows an adapter in aligned columns', () => {
    const { status, stdout, stderr } = lorikeet(`${fixtures}/decoder`);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('LoRA, rank 2, alpha 8, scale 4, dropout 0.05; trained on tiny-base');
    expect(stdout).toContain('14 modules in 2 layers, 928 parameters, f32');
    const table = stdout.split('\n\n')[1].trimEnd().split('\n');
    expect(table).toHaveLength(8);
    expect(new Set(table.map((line) => line.length)).size).toBe(1);
    expect(table[0]).toMatch(/mean norms +modules +parameters +\|A\| +\|B\| +\|update\| +least +most$/);
    expect(lorikeet(`${fixtures}/decoder`, '--modules').stdout).toContain(
      'model.language_model.layers.1.mlp.up_proj',
    );
  });

  it('holds adapters against each other and against a base', () => {
    const both = lorikeet(`${fixtures}/decoder`, `${fixtures}/all-linear`, '--model', `${fixtures}/base`);
    expect(both.status).toBe(0);
    expect(both.stdout.match(/^Fits .*base: all (28|48) tensors have their place\.$/gm)).toHaveLength(2);
    expect(both.stdout).toMatch(
      /First against second\n {2}settings that differ +first +second\n {2}alpha +8 +4\n/,
    );
    expect(both.stdout).toContain('Modules in the second alone (10): model.visual.blocks.0.attn.proj');
    expect(both.stdout).toMatch(/ {2}all +14 .*%/);
  });

  it('gives one JSON document, and 1 where something does not fit', () => {
    const { status, stdout } = lorikeet(`${fixtures}/decoder`, `${fixtures}/old-stems`, '--json');
    expect(status).toBe(0);
    const { adapters, comparison } = JSON.parse(stdout);
    expect(adapters.map(({ modules }: { modules: unknown[] }) => modules.length)).toEqual([14, 24]);
    expect(comparison.all.modules).toBe(14);
    const other = lorikeet(`${fixtures}/decoder`, '--json', '--model', 'demo/base');
    expect(other.status).toBe(1);
    const [{ fit }] = JSON.parse(other.stdout).adapters;
    expect(fit).toMatchObject({ fits: false, tensors: 28 });
    expect(fit.problems).toHaveLength(14);
  });

  it('tells in one line what cannot be read', () => {
    const { status, stdout, stderr } = lorikeet(`${fixtures}/base`);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Error: .*base: holds no adapter_config\.json\. .*\n$/);
  });
});

it('names twenty problems of a fit and counts the rest', () => {
  const problems = Array.from({ length: 22 }, (_, i) => `problem ${i}`);
  const told = describeFit({ model: '/base', fits: false, tensors: 3, problems });
  expect(told.split('\n')).toHaveLength(23);
  expect(told).toMatch(/^Does not fit \/base:\n {2}problem 0\n(?: {2}problem \d+\n){19} {2}and 2 more\n$/);
});
