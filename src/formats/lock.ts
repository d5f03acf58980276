/**
 * Who writes in a folder: a claim, a file that names its process. A claim's name is its maker's own and is never
 * written by another, so a dead process's claim can be taken away without ever taking a living one's.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimes,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writeFileAtomically } from './atomic.ts';

/** The process that made a claim. */
export interface Claimant {
  pid: number;
  host: string;
  /** ISO 8601, for people. */
  since: string;
  /** When the process began, in ticks since the machine did: tells it from a later one of its number. Linux alone. */
  began?: string;
  /** Of the machine's run since it was switched on. Linux alone. */
  boot?: string;
  /** The space that process numbers are counted in: containers have their own. Linux alone. */
  space?: string;
  /** Tells machines of one name apart. Linux alone. */
  machine?: string;
}

export const isClaim = (name: string): boolean => /^run\.lock\.[0-9a-f]{16}$/.test(name);

/** A name for a claim, for whoever must be able to drop it in the place of its maker. */
export const newClaim = (): string => `run.lock.${randomBytes(8).toString('hex')}`;

/** Tries after which somebody who claims at the same instant is taken for a holder. */
const tries = 4;
/** Milliseconds between two signs of life, and after which a claim without one is taken for a dead one's. */
const beatEvery = 4000;
const silence = 15_000;

/**
 * Claims an existing folder. Gives nothing where the claim stands now, or who holds the folder. Each writes its claim first
 * and looks for others then, so of two at once at least one sees the other; both step back and try again, apart in time.
 */
export async function claim(folder: string, name: string, patience = silence): Promise<Claimant | undefined> {
  for (let attempt = 1; ; attempt++) {
    await writeFileAtomically(join(folder, name), (handle) =>
      handle.writeFile(JSON.stringify(thisProcess())),
    );
    const holder = await otherClaimant(folder, name, patience);
    if (!holder) return undefined;
    drop(folder, name);
    if (attempt === tries) return holder;
    await setTimeout(Math.random() * 50 * attempt);
  }
}

export function drop(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
}

/** Gives signs of life for those who cannot look at this process, until the returned function is called. */
export function keepBeating(folder: string, name: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(join(folder, name), now, now, () => {}); // not claimed yet, or dropped
  }, beatEvery);
  timer.unref();
  return () => clearInterval(timer);
}

/** The process that holds this folder for certain, the claim `own` left aside. */
export function holderOf(folder: string, own?: string): Claimant | undefined {
  const others = claimsIn(folder).filter(({ name }) => name !== own);
  return others.find(({ claimant }) => stateOf(claimant) === 'living')?.claimant;
}

/** Claims of the dead are taken away; one whose process cannot be looked at is watched for signs of life. */
async function otherClaimant(folder: string, own: string, patience: number): Promise<Claimant | undefined> {
  for (const { name, claimant } of claimsIn(folder)) {
    if (name === own) continue;
    const state = stateOf(claimant);
    if (state === 'living') return claimant;
    if (state === 'unknown' && (await beats(join(folder, name), patience))) return claimant;
    drop(folder, name);
  }
  return undefined;
}

/** Whether the file is touched within so many milliseconds. Times are told apart, never held against a clock. */
async function beats(file: string, patience: number): Promise<boolean> {
  const first = touchedAt(file);
  const until = performance.now() + patience;
  while (performance.now() < until) {
    await setTimeout(Math.min(1000, patience / 4));
    const now = touchedAt(file);
    if (now === undefined) return false;
    if (now !== first) return true;
  }
  return false;
}

/** Opened anew, because a network file system keeps what it knows of a file until then. */
function touchedAt(file: string): number | undefined {
  const handle = attempt(() => openSync(file, 'r'));
  if (handle === undefined) return undefined;
  try {
    return fstatSync(handle).mtimeMs;
  } finally {
    closeSync(handle);
  }
}

/** A claim is renamed into place whole: one that cannot be read was damaged later, and says nothing. */
function claimsIn(folder: string): { name: string; claimant: Claimant | undefined }[] {
  const names = existsSync(folder) ? readdirSync(folder).filter(isClaim) : [];
  return names.map((name) => ({
    name,
    claimant: attempt(() => parse(readFileSync(join(folder, name), 'utf8'))),
  }));
}

function parse(text: string): Claimant | undefined {
  const claimant = JSON.parse(text);
  const isOne = Number.isInteger(claimant?.pid) && claimant.pid > 0 && typeof claimant.host === 'string';
  return isOne ? claimant : undefined;
}

function stateOf(claimant: Claimant | undefined): 'living' | 'dead' | 'unknown' {
  if (!claimant) return 'unknown';
  const here = thisProcess();
  if (claimant.host !== here.host || claimant.machine !== here.machine) return 'unknown';
  if (claimant.boot !== here.boot) return 'dead'; // the machine was switched off since
  if (claimant.space !== here.space) return 'unknown';
  if (here.began !== undefined) return beganAt(claimant.pid) === claimant.began ? 'living' : 'dead';
  return isThere(claimant.pid) ? 'unknown' : 'dead'; // the number may be another process's by now
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function thisProcess(): Claimant {
  const machine = attempt(() => readFileSync('/etc/machine-id', 'utf8').trim());
  return {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    began: beganAt(process.pid),
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    space: attempt(() => readlinkSync('/proc/self/ns/pid')),
    ...(machine && {
      machine: createHash('sha256').update(`lorikeet ${machine}`).digest('hex').slice(0, 16),
    }),
  };
}

/**
 * Field 22 of /proc/PID/stat; the second, the program's name, may hold spaces and brackets. A process that is dead and
 * not yet buried (`Z`) is not there.
 */
function beganAt(pid: number): string | undefined {
  const line = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields && !['Z', 'X'].includes(fields[0]) ? fields[19] : undefined;
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
