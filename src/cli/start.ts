import { describeCheck } from '../check/describe.ts';
import type { PlannedMemory, StartEvent } from '../train/events.ts';
import { count, number, percent, shortPath, size } from '../words.ts';
import { dataLines, table } from './data-lines.ts';

/** What a run is about to do, a line for each thing a person would ask. */
export function describeStart(event: StartEvent): string {
  const run = table([
    ['Model', shortPath(event.model)],
    ['Learns', describeTrained(event)],
    ['Device', `${event.device}, ${count(event.threads, 'thread')}`],
    ['Vision', describePictures(event)],
    ['Steps', `${number(event.totalSteps)} in ${count(event.epochs, 'epoch')}${goingOn(event)}`],
    ['Shared', describeSharing(event)],
    ...(event.memory ? [['Memory', describeMemory(event.memory)] as const] : []),
    ['Output', `${shortPath(event.output)}; lorikeet watch ${shortPath(event.output)} shows it in a browser`],
  ]);
  const data = [table(dataLines(event.data)), ...describeCheck(event.check)].join('\n');
  return `${data}\n\n${run}\nWhy each setting is what it is: run.json, "decisions".\n`;
}

/** Whether a picture is computed once, and why not where it is not. */
function describePictures({ decisions }: StartEvent): string {
  const [kept, known, others] = ['vision cache', 'pictures known', 'entries not used'].map((word) =>
    decisions.find(({ what }) => what === word),
  );
  if (kept === undefined) return 'pictures pass the tower whenever they are needed';
  if (kept.value === 'off') return `pictures pass the tower whenever they are needed: ${kept.reason}`;
  const unused = others
    ? `; not used: ${others.value} that another version, engine, processor or number of threads made`
    : '';
  return `${known?.value} pictures known already; each other passes the tower once and is kept as ${kept.value}${unused}`;
}

function goingOn({ resumed }: StartEvent): string {
  const last = resumed?.at(-1);
  return last ? `, going on after step ${number(last.step)}` : '';
}

function describeTrained({ trained }: StartEvent): string {
  const where = trained.modules > 0 ? `LoRA on ${count(trained.modules, 'module')}` : 'chosen parameters';
  return `${where}: ${count(trained.parameters, 'parameter')} in ${count(trained.tensors, 'tensor')}`;
}

function describeMemory({ needed, limit, picked }: PlannedMemory): string {
  const whose = limit.from === 'memory' ? 'that `memory` allows' : 'that this machine has left';
  const words = picked.map(({ what, value, reason }) => `${what} ${value} (${reason})`);
  const cut = words.length > 0 ? `; ${words.join('; ')}` : '';
  return `about ${size(needed)} of ${size(limit.bytes)} ${whose}, mapped weights not counted${cut}`;
}

function describeSharing({ sharing }: StartEvent): string {
  const { tokens, rowTokens, picturesPerStep } = sharing;
  const pictures = `${picturesPerStep.toFixed(1)} distinct pictures a step, the mean`;
  if (tokens === rowTokens) return picturesPerStep > 0 ? `nothing; ${pictures}` : 'nothing';
  const saved = `${percent(1 - tokens / rowTokens)} less than as separate samples`;
  return `${number(tokens)} of ${number(rowTokens)} tokens are computed, ${saved}${picturesPerStep > 0 ? `; ${pictures}` : ''}`;
}
