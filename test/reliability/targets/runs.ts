import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findingsOf } from '../../../src/report/findings.ts';
import { methodsOf } from '../../../src/report/methods.ts';
import { renderReport } from '../../../src/report/page/report-page.ts';
import { readRun } from '../../../src/report/read-run.ts';
import { checkOutput } from '../../../src/train/run-folder.ts';
import { generatedRun, writeRun } from '../../report/generated-run.ts';
import { jsonLines, jsonMutations } from '../mutations.ts';
import { holds, type Target } from '../target.ts';
import { fixtures } from './files.ts';

/** Everything that is told of a folder. */
function told(folder: string): void {
  const story = readRun(folder);
  const page = renderReport(story);
  holds('a page', page.startsWith('<!doctype html>') && !page.includes('<script>alert'));
  holds('findings', Array.isArray(findingsOf(story)) && methodsOf(story) !== undefined);
}

const runFile = (name: string, file: string, part?: Target['part']): Target => ({
  name,
  mutations: jsonMutations,
  part,
  async open(folder) {
    const run = writeRun(join(folder, 'run'), generatedRun({ steps: 24, evaluateEvery: 6, rows: 6 }));
    return {
      bases: [readFileSync(join(run, file))],
      read: async (bytes) => {
        writeFileSync(join(run, file), bytes);
        told(run);
        checkOutput(run, true);
      },
    };
  },
});

const trainerState: Target = {
  name: 'trainer_state.json',
  mutations: jsonMutations,
  async open(folder) {
    const run = join(folder, 'trainer');
    mkdirSync(run, { recursive: true });
    cpSync(`${fixtures}/trainer/adapter_config.json`, join(run, 'adapter_config.json'));
    return {
      bases: [readFileSync(`${fixtures}/trainer/trainer_state.json`)],
      read: async (bytes) => {
        writeFileSync(join(run, 'trainer_state.json'), bytes);
        told(run);
      },
    };
  },
};

export const runTargets: Target[] = [
  runFile('run.json', 'run.json'),
  runFile('metrics.jsonl', 'metrics.jsonl', jsonLines),
  runFile('scores', 'scores/last.jsonl', jsonLines),
  trainerState,
];
