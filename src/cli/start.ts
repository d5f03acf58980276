import type { DataSummary, StartEvent } from '../train/events.ts';
import { count, number, shortPath } from '../words.ts';

/** What a run is about to do, a line for each thing a person would ask. */
export function describeStart(event: StartEvent): string {
  const { train, validation } = event.data;
  const lines: [string, string][] = [
    ['Model', shortPath(event.model)],
    ['Training', describeData(train)],
    ['Validation', validation ? describeData(validation) : 'none (data.validation names a file for it)'],
    ['Learns', describeTrained(event)],
    ['Device', `${event.device}, ${count(event.threads, 'thread')}`],
    ['Steps', `${number(event.totalSteps)} in ${count(event.epochs, 'epoch')}`],
    ['Output', shortPath(event.output)],
  ];
  const table = lines.map(([name, text]) => `${name.padEnd(11)} ${text}`).join('\n');
  return `${table}\nWhy each setting is what it is: run.json, "decisions".\n`;
}

function describeTrained({ trained }: StartEvent): string {
  const where = trained.modules > 0 ? `LoRA on ${count(trained.modules, 'module')}` : 'chosen parameters';
  return `${where}: ${count(trained.parameters, 'parameter')} in ${count(trained.tensors, 'tensor')}`;
}

function describeData(data: DataSummary): string {
  const skipped = data.skipped > 0 ? `, ${number(data.skipped)} skipped` : '';
  const share = `${number(data.labelTokens)} of ${count(data.tokens, 'token')} are trained on`;
  return `${shortPath(data.file)}: ${count(data.rows, 'row')}${skipped}, ${count(data.images, 'image')}; ${describeForm(data)}; ${share}`;
}

function describeForm({ form, fields, guessed }: DataSummary): string {
  const named = Object.entries(fields).map(([ours, theirs]) => {
    if (ours === theirs) return ours;
    return guessed.includes(ours) ? `${ours} from "${theirs}", guessed` : `${ours} from "${theirs}"`;
  });
  return named.length > 0 ? `${form} rows (${named.join('; ')})` : `${form} rows`;
}
