import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { readRecord } from '../report/read-record.ts';
import { scorecardFile, scoredSplits } from '../report/read-scorecards.ts';
import { type RunRecord, type RunStatus, runFiles } from '../train/run-folder.ts';
import { shortHash } from './hash.ts';

/** The report of a run folder, as it is written for a page that goes on living. */
export interface Told {
  sections: Section[];
  /** The whole page, for a watcher who comes now; `version` is that of its sections. */
  page(version: string): string;
}

export interface Section {
  id: string;
  html: string;
}

/** The state of a run and its report, told anew when there is something new to tell. */
export interface Telling {
  /** Looks at `run.json`, if it changed. */
  readState(): void;
  /** Looks at what changed; milliseconds after which to look again, where it is too early to tell anew. */
  refresh(evaluations: number, steps: number): number | undefined;
  told(): Told;
  /** Why it could not be told anew; what was told before still stands. */
  trouble(): string | null;
  status(): RunStatus | 'unknown';
  totalSteps(): number | null;
  /** Of all sections, and of each. */
  version(): string;
  hashes(): ReadonlyMap<string, string>;
}

/** A telling reads the whole run: it may take this share of the time at most, and comes no more often than that. */
const share = 0.1;
const pause = 1000;
/** Steps alone change little of what the sections say. */
const pauseForSteps = 5_000;

export function followTelling(folder: string, tell: () => Told, now = () => performance.now()): Telling {
  let told: Told | undefined;
  let toldFrom = '';
  let toldSteps = 0;
  let toldAt = 0;
  let cost = 0;
  let recordFrom = '';
  let status: RunStatus | 'unknown' = 'unknown';
  let totalSteps: number | null = null;
  let version = '-';
  let hashes = new Map<string, string>();
  let trouble: string | null = null;

  const readState = () => {
    const stamp = stampOf(join(folder, runFiles.record));
    if (stamp === recordFrom) return;
    recordFrom = stamp;
    const record = recordOf(folder);
    status = record?.status ?? 'unknown';
    totalSteps = record?.totalSteps ?? null;
  };

  /** The first time it must succeed. Later the folder may be moved away under a watcher's eyes. */
  const attempt = () => {
    try {
      told = tell();
      trouble = null;
    } catch (error) {
      if (!told) throw error;
      trouble = error instanceof LorikeetError ? error.message : 'The run folder cannot be read.';
    }
    return told;
  };

  const tellAnew = (from: string, steps: number) => {
    const start = now();
    const { sections } = attempt();
    hashes = new Map(sections.map(({ id, html }) => [id, shortHash(html)]));
    version = shortHash([...hashes].flat().join(' '));
    toldFrom = from;
    toldSteps = steps;
    toldAt = now();
    cost = toldAt - start;
  };

  return {
    readState,
    refresh(evaluations, steps) {
      const from = [recordFrom, ...scoreStamps(folder), evaluations].join(' ');
      if (told && from === toldFrom && steps === toldSteps) return undefined;
      const wait = from === toldFrom ? Math.max(pauseForSteps, cost / share) : Math.max(pause, cost / share);
      const left = told ? toldAt + wait - now() : 0;
      if (left > 0) return left;
      tellAnew(from, steps);
      return undefined;
    },
    told: () => told as Told,
    trouble: () => trouble,
    status: () => status,
    totalSteps: () => totalSteps,
    version: () => version,
    hashes: () => hashes,
  };
}

/** Nothing where the file is not there or is not a run's: the report says so. */
function recordOf(folder: string): RunRecord | undefined {
  try {
    return readRecord(folder).record;
  } catch {
    return undefined;
  }
}

function scoreStamps(folder: string): string[] {
  const rows = ['start.jsonl', 'last.jsonl'].map((name) => join(runFiles.scores, name));
  return [...rows, ...scoredSplits.map(scorecardFile)].map((name) => stampOf(join(folder, name)));
}

/** Changes when the file does; costs no reading of it. */
function stampOf(file: string): string {
  try {
    const { size, mtimeMs, ino } = statSync(file);
    return `${size}:${mtimeMs}:${ino}`;
  } catch {
    return '-';
  }
}
