/**
 * Kills a training at random moments and goes on with it, until it is through; then again.
 *
 *     npm run build && npx jiti test/reliability/kills.ts [kills, default 100] [seed]
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Stream, stream } from '../../src/random.ts';
import { listCheckpoints } from '../../src/train/checkpoints/checkpoint-files.ts';
import { metricsOf, outcomeOf, writeDemoRun } from './demo-run.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface KillsReport {
  kills: number;
  /** Runs that reached their end. */
  finished: number;
  /** Kills that struck before a step was done: while loading, checking, restoring. */
  beforeStart: number;
  /** The most often that one run was killed. */
  mostKills: number;
  /** Steps of a whole run. */
  steps: number;
  /** Steps that had to be done again, at the most after one kill, and in all. */
  mostLost: number;
  lost: number;
  /** What was not as promised; none is expected. */
  faults: string[];
  seconds: number;
}

/** Until so many kills were dealt. A seed gives the same waiting times, though not the same moments. */
export async function killAndResume(
  kills: number,
  seed: number,
  tell: (line: string) => void = () => {},
): Promise<KillsReport> {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-kills-'));
  try {
    return await withRun(folder, kills, stream(seed, 'kills'), tell);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withRun(
  folder: string,
  kills: number,
  draws: Stream,
  tell: (line: string) => void,
): Promise<KillsReport> {
  const begun = performance.now();
  const draw = draws.uniform;
  const config = await writeDemoRun(folder, {
    scenes: { train: 16, validation: 4 },
    lora: { rank: 4, dropout: 0.1 },
    train: { epochs: 6, gradientAccumulation: 6, evaluateEvery: 7, gapRows: 8, saveEvery: 3 },
  });
  const run = join(folder, 'run');
  let { loading, stepping } = await trainFor(config);
  const expected = outcomeOf(run);
  rmSync(run, { recursive: true });
  const report: KillsReport = {
    kills: 0,
    finished: 0,
    beforeStart: 0,
    mostKills: 0,
    steps: expected.metrics.split('"type":"step"').length - 1,
    mostLost: 0,
    lost: 0,
    faults: [],
    seconds: 0,
  };
  let ofThisRun = 0;
  while (report.kills < kills || ofThisRun > 0) {
    const before = lastStep(run);
    // One kill in three while it loads, checks and restores, the others while it trains, evaluates and saves.
    const moment =
      draw() < 1 / 3
        ? { of: 'loading' as const, wait: draw() * loading }
        : { of: 'steps' as const, wait: draw() * stepping };
    const ended = await trainFor(config, report.kills < kills ? moment : undefined);
    const { killed, stderr } = ended;
    if (killed) {
      report.kills++;
      report.mostKills = Math.max(report.mostKills, ++ofThisRun);
      const now = lastStep(run);
      if (now <= before) report.beforeStart++;
      const lost = now - (listCheckpoints(run)[0]?.step ?? 0);
      report.lost += lost;
      report.mostLost = Math.max(report.mostLost, lost);
      report.faults.push(...faultsOf(run).map((fault) => `kill ${report.kills}: ${fault}`));
      tell(`kill ${report.kills} after step ${now}`);
      continue;
    }
    if (stderr !== '') report.faults.push(`after ${ofThisRun} kills: ${stderr.trim()}`);
    const outcome = existsSync(join(run, 'metrics.jsonl')) ? outcomeOf(run) : {};
    for (const [what, bytes] of Object.entries(expected)) {
      if (outcome[what] !== bytes) report.faults.push(`${what} differs after ${ofThisRun} kills`);
    }
    const litter = leftIn(run);
    if (litter.length > 0) report.faults.push(`left behind: ${litter.join(', ')}`);
    report.finished++;
    // A machine that others use too is not always as fast.
    if (ofThisRun === 0) ({ loading, stepping } = ended);
    tell(`finished after ${ofThisRun} kills, ${report.faults.length} faults so far`);
    ofThisRun = 0;
    rmSync(run, { recursive: true, force: true });
  }
  return { ...report, seconds: (performance.now() - begun) / 1000 };
}

interface Moment {
  /** What the wait is counted from: the start of the process, or of its first step. */
  of: 'loading' | 'steps';
  /** Milliseconds. */
  wait: number;
}

interface Ended {
  killed: boolean;
  stderr: string;
  /** Milliseconds until its first step, and from there to its end. */
  loading: number;
  stepping: number;
}

/** Trains on, and kills the process at the moment where it still goes on then. */
async function trainFor(config: string, moment?: Moment): Promise<Ended> {
  const begun = performance.now();
  const child = spawn(process.execPath, [main, 'train', config, '--resume'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let firstStep = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const killAfter = (wait: number) => {
    timer = setTimeout(() => child.kill('SIGKILL'), wait);
  };
  if (moment?.of === 'loading') killAfter(moment.wait);
  child.stdout.on('data', (data) => {
    stdout += data;
    if (Number.isFinite(firstStep) || !stdout.includes('in all, measured')) return;
    firstStep = performance.now();
    if (moment?.of === 'steps') killAfter(moment.wait);
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('close', (_, signal) => resolve(signal));
  });
  clearTimeout(timer);
  const times = { loading: firstStep - begun, stepping: performance.now() - firstStep };
  return { killed: signal === 'SIGKILL', stderr, ...times };
}

/** What must be true of a folder at every moment: whole lines, and every step once, in order. */
function faultsOf(run: string): string[] {
  if (!existsSync(join(run, 'metrics.jsonl'))) return [];
  try {
    const steps = metricsOf(run).filter(({ type }) => type === 'step');
    const wrong = steps.findIndex(({ step }, i) => step !== i + 1);
    return wrong === -1 ? [] : [`step ${wrong + 1} expected in metrics.jsonl, got ${steps[wrong].step}`];
  } catch (error) {
    return [(error as Error).message];
  }
}

function lastStep(run: string): number {
  if (!existsSync(join(run, 'metrics.jsonl'))) return 0;
  try {
    return metricsOf(run).filter(({ type }) => type === 'step').length;
  } catch {
    return 0;
  }
}

/** Files of a half-done write, and locks. */
function leftIn(run: string): string[] {
  const names = readdirSync(run, { recursive: true }).map(String);
  return names.filter((name) => /\.tmp$|\.partial$|run\.lock/.test(name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kills = '100', seed = '1'] = process.argv.slice(2);
  const report = await killAndResume(Number(kills), Number(seed), console.log);
  console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.faults.length > 0 ? 1 : 0;
}
