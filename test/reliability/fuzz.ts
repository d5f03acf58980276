/**
 * Spoils real files of every kind that Lorikeet reads and reads them; prints what became of them.
 *
 *     npx jiti test/reliability/fuzz.ts --cases 20000 --seed 1 --only "PNG files"
 *
 * Each thousand cases run in a process of their own: one that dies, does not come back within the deadline or keeps
 * memory is seen, and the file that it was reading stands beside the report.
 */
import { fork } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type FuzzTally, fuzz } from './fuzz-cases.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const casesOfAProcess = 1000;
const head =
  '| files | cases | refused | read | slowest, ms | memory kept, MB | most memory, MB | seconds |\n|---|---|---|---|---|---|---|---|';

/** Seconds without a case that ends. */
const deadline = 60;

const jiti = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));

interface Work {
  target: string;
  cases: number;
  seed: number;
  folder: string;
}

/** What a process says: it lives, or what became of its cases. */
type Word = { beat: true } | { tally: FuzzTally; rssBefore: number; rssAfter: number; rssMost: number };

interface Row extends FuzzTally {
  name: string;
  /** MB that stayed from the tenth part of the cases on, at most over all processes. */
  grown: number;
  mostMb: number;
  seconds: number;
}

async function child(): Promise<void> {
  const work = await new Promise<Work>((resolve) =>
    process.once('message', resolve as (message: unknown) => void),
  );
  const target = targets.find(({ name }) => name === work.target) as Target;
  const current = join(work.folder, 'current');
  let seen = 0;
  let rssBefore = 0;
  let rssMost = 0;
  const before = (file: Buffer) => {
    writeFileSync(current, file);
    if (++seen % 50 === 0) process.send?.({ beat: true } satisfies Word);
    const rss = process.memoryUsage.rss() / 2 ** 20;
    rssMost = Math.max(rssMost, rss);
    if (seen === Math.ceil(work.cases / 10)) rssBefore = rss;
  };
  const tally = await fuzz(target, { ...work, before });
  const rssAfter = process.memoryUsage.rss() / 2 ** 20;
  process.send?.({ tally, rssBefore, rssAfter, rssMost } satisfies Word, () => process.exit(0));
}

async function parent(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string', multiple: true },
    },
  });
  const cases = Number(values.cases ?? casesOfAProcess);
  const seed = Number(values.seed ?? 1);
  const kept = mkdtempSync(join(tmpdir(), 'lorikeet-fuzz-'));
  const chosen = targets.filter(({ name }) => values.only?.includes(name) ?? true);
  let failures = 0;
  console.log(head);
  for (const { name } of chosen) {
    const row = await runTarget(name, cases, seed, kept);
    console.log(lineOf(row));
    if (row.failure) {
      failures++;
      console.log(`\n${row.failure}\n`);
    }
  }
  if (failures === 0) rmSync(kept, { recursive: true });
  return failures === 0 ? 0 : 1;
}

async function runTarget(name: string, cases: number, seed: number, kept: string): Promise<Row> {
  const row: Row = { name, cases: 0, read: 0, refused: 0, slowestMs: 0, grown: 0, mostMb: 0, seconds: 0 };
  const begun = performance.now();
  for (let part = 0; part * casesOfAProcess < cases && !row.failure; part++) {
    const folder = join(kept, `${name.replace(/\W+/g, '-')}-${part}`);
    mkdirSync(folder);
    const some = Math.min(casesOfAProcess, cases - part * casesOfAProcess);
    const said = await runProcess({ target: name, cases: some, seed: seed * 1_000_003 + part, folder });
    if (typeof said === 'string')
      row.failure = `${said}; the file that was being read: ${keptFile(folder, kept, name)}`;
    else {
      const { tally, rssBefore, rssAfter, rssMost } = said;
      row.cases += tally.cases;
      row.read += tally.read;
      row.refused += tally.refused;
      row.slowestMs = Math.max(row.slowestMs, tally.slowestMs);
      row.grown = Math.max(row.grown, rssAfter - rssBefore);
      row.mostMb = Math.max(row.mostMb, rssMost);
      row.failure = tally.failure;
    }
    if (!row.failure) rmSync(folder, { recursive: true, force: true });
  }
  row.seconds = (performance.now() - begun) / 1000;
  return row;
}

function keptFile(folder: string, kept: string, name: string): string {
  const file = join(kept, `crash-${name.replace(/\W+/g, '-')}`);
  if (existsSync(join(folder, 'current'))) copyFileSync(join(folder, 'current'), file);
  return file;
}

function runProcess(work: Work): Promise<Exclude<Word, { beat: true }> | string> {
  const worker = fork(jiti, [fileURLToPath(import.meta.url)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  worker.stderr?.on('data', (data) => {
    errors = `${errors}${data}`.slice(-4000);
  });
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        resolve(`no case ended within ${deadline} s (seed ${work.seed})`);
        worker.kill('SIGKILL');
      }, deadline * 1000);
    };
    wait();
    worker.on('message', (word: Word) => {
      wait();
      if ('beat' in word) return;
      clearTimeout(timer);
      resolve(word);
    });
    worker.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(`the process ended with ${signal ?? code} (seed ${work.seed}) ${errors}`);
    });
    worker.send(work);
  });
}

function lineOf({ name, cases, refused, read, slowestMs, grown, mostMb, seconds }: Row): string {
  const figures = [cases, refused, read, slowestMs, Math.max(0, grown), mostMb, seconds];
  return `| ${name} | ${figures.map((value) => Math.round(value)).join(' | ')} |`;
}

if (process.send) await child();
else process.exit(await parent());
