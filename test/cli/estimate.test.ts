import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { RunEstimate } from '../../src/train/estimate.ts';
import { tinyRows, tinyRun } from '../train/tiny-run.ts';

/** The command as people run it: what `npm run build` made, in a process of its own. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const lorikeet = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('lorikeet estimate', () => {
  it('tells memory by its parts, disk and time, writes nothing and exits 0, without weights', () => {
    const folder = tinyRun();
    rmSync(join(folder, 'model/model.safetensors'));
    const before = readdirSync(folder);
    const { status, stdout } = lorikeet('estimate', join(folder, 'config.yaml'));
    expect(status).toBe(0);
    const lineOf = (name: string) =>
      stdout
        .split('\n')
        .find((line) => line.startsWith(name.padEnd(12)))
        ?.slice(12);
    expect(lineOf('Model')).toMatch(/no weights here yet: .* if they are (f32|bf16)/);
    expect(lineOf('Memory')).toMatch(/^\d.* that this machine has left: fits/);
    expect(lineOf('  activations') ?? stdout).toMatch(/computed again in the backward pass; .* if kept/);
    expect(lineOf('Disk')).toMatch(/ free: /);
    expect(lineOf('Time')).toMatch(
      /^about .* in all: 6 steps, .* an epoch, .* an evaluation \(3 times\), .* for 2 pictures, once$/,
    );
    expect(lineOf('Measured')).toMatch(/GFLOP\/s in products of this model's widths, .*1 thread/);
    expect(readdirSync(folder)).toEqual(before);
  });

  it('prints one JSON document and nothing else where it is asked to', () => {
    const { status, stdout, stderr } = lorikeet('estimate', join(tinyRun(), 'config.yaml'), '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found: RunEstimate = JSON.parse(stdout);
    const { total, ...parts } = found.memory;
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
    expect(found).toMatchObject({
      fits: true,
      steps: 6,
      cut: { recompute: true },
      limit: { from: 'machine' },
    });
    expect(found.weights).toMatchObject({ files: 1, bytes: expect.any(Number) });
    expect(found.time.totalSeconds).toBeGreaterThan(found.time.secondsPerEpoch);
    expect(found.speed.flopPerSecond).toBeGreaterThan(0);
    expect(found.disk.free).toBeGreaterThan(found.disk.total);
  });

  it('cuts the run to the memory that it is given, and exits 1 where no cut fits', () => {
    const file = join(tinyRun(), 'config.yaml');
    const picked: RunEstimate = JSON.parse(
      lorikeet('estimate', file, '--set', 'memory=2GB', '--json').stdout,
    );
    expect(picked).toMatchObject({
      limit: { bytes: 2e9, from: 'memory' },
      cut: { recompute: false, maxTokens: 1024 },
    });
    expect(picked.decisions.map(({ what }) => what)).toEqual([
      'train.recompute',
      'pack.maxTokens',
      'memory needed',
    ]);
    const refused = lorikeet('estimate', file, '--set', 'memory=20MB');
    expect(refused.status).toBe(1);
    expect(refused.stdout).toMatch(/^Too large +the run needs .*No cut of it fits; it needs .* at least\.$/m);
  });

  it('names a row that is too large with its file and line', () => {
    const huge = { ...tinyRows[0], answer: 'Yes, there is a polyp visible. '.repeat(250) };
    const [small, large] = [tinyRun(), tinyRun({ rows: [...tinyRows, huge] })].map((folder) =>
      join(folder, 'config.yaml'),
    );
    const [fits, beyond] = [small, large].map(
      (file) => (JSON.parse(lorikeet('estimate', file, '--json').stdout) as RunEstimate).memory.total,
    );
    const memory = `memory=${Math.round((fits + beyond) / 2)}`;
    expect(lorikeet('estimate', large, '--set', memory).stdout).toMatch(
      /^Too large +.*train\.jsonl:6, row 5: its \d+ tokens/m,
    );
  });

  it('stops at Ctrl-C and exits 130', async () => {
    const rows = Array.from({ length: 200_000 }, (_, n) => ({
      ...tinyRows[n % 5],
      question: `Number ${n}?`,
    }));
    const folder = tinyRun({ rows });
    const child = spawn(process.execPath, [main, 'estimate', join(folder, 'config.yaml')]);
    let told = '';
    child.stderr.on('data', (data) => {
      told += data;
      if (!told.includes('Stopping') && /checking train rows .*\/200,000 .* left/.test(told))
        child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(130);
    expect(told).toContain('Stopping.');
  });
});

describe('lorikeet train', () => {
  it('does not start what does not fit, and says what it needs', () => {
    const folder = tinyRun();
    const { status, stderr } = lorikeet('train', join(folder, 'config.yaml'), '--set', 'memory=20MB');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: .*config\.yaml: the run needs .* of memory .*memory has 20\.0 MB\./);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });
});
