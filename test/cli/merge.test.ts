import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeMerge, progressLine } from '../../src/cli/merge-command.ts';
import { createStatusLine } from '../../src/cli/status-line.ts';
import { writeLargeCase } from '../checkpoint/large-case.ts';
import { loadMergedCase, writeMergedCase } from '../checkpoint/merged-case.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-merge-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Bytes of anonymous memory, as far as they were seen. */
  peak: number;
}

function lorikeet(args: string[], watch?: (pid: number) => void): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args]);
  const ended = { stdout: '', stderr: '', peak: 0 };
  child.stdout.on('data', (data) => {
    ended.stdout += data;
  });
  child.stderr.on('data', (data) => {
    ended.stderr += data;
  });
  const sampler = setInterval(() => {
    ended.peak = Math.max(ended.peak, anonymous(child.pid!));
    watch?.(child.pid!);
  }, 5);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearInterval(sampler);
      resolve({ code, ...ended });
    });
  });
}

function anonymous(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}

const words = (dir: string, ...more: string[]) => [
  'merge',
  '--model',
  path.join(dir, 'model'),
  '--adapter',
  path.join(dir, 'adapter'),
  '--output',
  path.join(dir, 'out'),
  ...more,
];

describe('lorikeet merge', () => {
  const dir = path.join(root, 'small');
  beforeAll(async () => {
    await writeMergedCase(dir, loadMergedCase('bf16-tied-old'));
  });

  it('merges, says what it wrote and how true it is, and exits 0', async () => {
    const { code, stdout, stderr } = await lorikeet(words(dir));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Merged 24 modules in \d+ s: .*out\n/);
    expect(stdout).toContain('57 tensors in 2 files, 101 KB, bf16; read back and found as written');
    expect(stdout).toMatch(
      /Rounding moved the update by 0\.\d+ % of its size \(most in model\.\S+: [\d.]+ %\)/,
    );
  });

  it('tells what is in the way in one line and exits 1', async () => {
    const { code, stdout, stderr } = await lorikeet(words(dir));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^Error: .*out: holds a model already\. Name another folder, or replace it with --overwrite\.\n$/,
    );
    expect((await lorikeet(words(dir, '--overwrite', '--dtype', 'f16'))).code).toBe(0);
    const wrong = await lorikeet(words(dir, '--dtype', 'int4'));
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('Allowed choices are same, f32, f16, bf16');
    const size = await lorikeet(words(dir, '--overwrite', '--max-shard-size', 'huge'));
    expect(size.stderr).toMatch(/^Error: max-shard-size expected a size such as 5GB or 500MB, got "huge"/);
  });
});

describe.skipIf(process.platform !== 'linux')(
  'a model of some hundred MB (memory is read from /proc)',
  () => {
    const dir = path.join(root, 'large');
    let bytes: number;
    beforeAll(async () => {
      bytes = await writeLargeCase(dir);
    });

    it('is merged in a fraction of its size', async () => {
      expect(bytes).toBeGreaterThan(350e6);
      const { code, stdout, peak } = await lorikeet(words(dir));
      expect(code).toBe(0);
      expect(stdout).toContain('Merged 34 modules');
      expect(peak).toBeGreaterThan(20e6);
      expect(peak).toBeLessThan(bytes / 2);
    });

    it('leaves nothing where Ctrl-C stops it', async () => {
      rmSync(path.join(dir, 'out'), { recursive: true });
      let sent = false;
      const { code, stdout, stderr } = await lorikeet(words(dir), (pid) => {
        const writing = readdirSync(dir).some((name) => name.endsWith('.tmp'));
        if (!writing || sent) return;
        sent = true;
        process.kill(pid, 'SIGINT');
      });
      expect([code, stdout, stderr]).toEqual([130, '', 'Stopped; nothing was written.\n']);
      expect(readdirSync(dir).sort()).toEqual(['adapter', 'model']);
      expect(existsSync(path.join(dir, 'out'))).toBe(false);
    });
  },
);

describe('the words of a merge', () => {
  const report = {
    output: '/models/out',
    files: ['a', 'b'],
    bytes: 4_418_050_048,
    tensors: 729,
    dtypes: ['bf16' as const],
    modules: [
      { name: 'q', relativeError: 0.05, unmoved: 0.2 },
      { name: 'v', relativeError: 0.31, unmoved: 0.6 },
    ],
    untrained: ['k', 'o', 'gate', 'up'],
    rounding: { relativeError: 0.123, unmoved: 0.412 },
    seconds: 75,
  };

  it('say what rounding took and what to do about it', () => {
    expect(describeMerge(report)).toBe(
      `Merged 2 modules in 1 min 15 s: /models/out
  729 tensors in 2 files, 4.42 GB, bf16; read back and found as written
  Rounding moved the update by 12 % of its size (most in v: 31 %); 41.2 % of its weights stayed as they were
  The update is small beside the steps of this type: --dtype f32 keeps it whole.
  B is zero, so nothing was learned, in 4 modules: k, o, gate and 1 more
`,
    );
    const fine = {
      ...report,
      dtypes: ['f32' as const],
      untrained: [],
      rounding: { relativeError: 1e-7, unmoved: 0 },
    };
    expect(describeMerge(fine)).toContain('Rounding moved the update by 1.0e-5 % of its size');
    expect(describeMerge(fine)).not.toContain('--dtype');
    expect(describeMerge({ ...report, modules: [], rounding: undefined })).toContain(
      'the merged model is the base',
    );
  });

  it('tell progress in one line that is rewritten, or in few', () => {
    const line = progressLine({ phase: 'write', bytes: 250, totalBytes: 1000, secondsLeft: 65 });
    expect(line).toBe('writing  25.0 %  1 min 05 s left');
    let time = 0;
    const written: string[] = [];
    const plain = createStatusLine({ write: (text) => written.push(text) }, () => time);
    for (time = 1; time <= 25; time++) plain.show(`at ${time}`);
    plain.clear();
    expect(written).toEqual(['at 10\n', 'at 20\n']);
    written.length = 0;
    const terminal = createStatusLine(
      { isTTY: true, columns: 6, write: (text) => written.push(text) },
      () => time,
    );
    terminal.show('too long');
    terminal.show('too soon');
    time += 1;
    terminal.show('next');
    terminal.clear();
    expect(written).toEqual(['too l', '\r\x1b[2K', 'next', '\r\x1b[2K']);
  });
});
