import { realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { scorecardFile, scoredSplits } from '../report/read-scorecards.ts';
import { runFiles } from '../train/run-folder.ts';

const { record, metrics, scores } = runFiles;
const read = [
  record,
  metrics,
  scores,
  `${scores}/start.jsonl`,
  `${scores}/last.jsonl`,
  ...scoredSplits.map(scorecardFile),
];

/**
 * Refuses a run folder whose files are links that lead out of it: what is served then is the folder's own. The pictures
 * are held to it one by one as they are read.
 *
 * @throws LorikeetError 'run'
 */
export function checkInside(folder: string): void {
  const root = resolved(folder);
  for (const name of read) {
    const file = resolved(join(folder, name));
    if (root === undefined || file === undefined || file.startsWith(root + sep)) continue;
    throw new LorikeetError('run', {
      file: folder,
      what: `${name} expected to stand in the run folder, got a link that leads out of it`,
      fix: 'Put the file itself there; nothing outside the run folder is served.',
    });
  }
}

/** Nothing where the file is not there: others say so. */
function resolved(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
