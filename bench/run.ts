/**
 * The benches, printed and saved with the machine's facts:
 *
 *     npm run bench [-- NAME ...] [--rounds 7] [--threads 2] [--quick] [--keep] [--out bench/results] [--scratch FOLDER]
 *
 * LORIKEET_PYTHON names a Python with torch, transformers and PEFT for the comparisons; without one they are left out.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engineVersion } from '../src/runtime/session.ts';
import { physicalCores } from '../src/runtime/threads.ts';
import type { Bench } from './bench.ts';
import { cache } from './cache.ts';
import { checking } from './check.ts';
import { decode } from './decode.ts';
import { estimate } from './estimate.ts';
import { fullStep } from './full-step.ts';
import { head } from './head.ts';
import { mapping, memory } from './memory.ts';
import { near } from './near.ts';
import { packs } from './packs.ts';
import { report } from './report.ts';
import { speed } from './speed.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(physicalCores()) },
    quick: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
    scratch: { type: 'string', default: join(tmpdir(), 'lorikeet-bench') },
  },
});

const benches: Record<string, Bench> = {
  speed,
  packs,
  head,
  full: fullStep(values),
  memory,
  mapping,
  decode,
  cache,
  check: checking,
  near,
  report,
  estimate,
};
const wanted = positionals.length > 0 ? positionals : Object.keys(benches);
const unknown = wanted.find((name) => !Object.hasOwn(benches, name));
if (unknown) throw new Error(`bench expected one of ${Object.keys(benches).join(', ')}, got ${unknown}`);

const options = {
  rounds: values.quick ? 1 : Number(values.rounds),
  threads: Number(values.threads),
  quick: values.quick,
  scratch: resolve(values.scratch),
};
mkdirSync(options.scratch, { recursive: true });

const commit = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
};

const machine = {
  date: new Date().toISOString(),
  commit: commit(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  onnxruntime: engineVersion,
  threads: options.threads,
  rounds: options.rounds,
  ...(options.quick && { quick: 'narrow layers: the figures mean nothing' }),
};
const facts = Object.entries(machine).map(([key, value]) => `${key} ${value}`);
console.log(facts.join(', '));

/** Processes that wanted a core, averaged over the last minute: others' work shows here. */
const load = () => Number(loadavg()[0].toFixed(1));

const results: Record<string, { load: { before: number; after: number }; result: unknown }> = {};
const told: string[] = [];
for (const name of wanted) {
  const before = load();
  const bench = benches[name];
  const result = await bench.run(options);
  const lines = [...bench.tell(result), `  load of the machine ${before} before, ${load()} after`];
  results[name] = { load: { before, after: load() }, result };
  told.push(...lines, '');
  console.log(lines.join('\n'));
}

mkdirSync(values.out, { recursive: true });
const file = join(values.out, `${machine.date.replace(/[:.]/g, '-')}-${wanted.join('-')}`);
writeFileSync(`${file}.json`, `${JSON.stringify({ machine, benches: results }, null, 2)}\n`);
const markdown = [
  `# ${wanted.join(', ')}`,
  '',
  ...facts.map((fact) => `- ${fact}`),
  '',
  '```',
  ...told,
  '```',
  '',
];
writeFileSync(`${file}.md`, markdown.join('\n'));
console.log(`Saved as ${file}.json and .md`);
process.exit(0);
