import { count, figure } from '../../words.ts';
import type { Finding } from '../findings.ts';
import type { RunStory, WarningPoint } from '../run-story.ts';

/** What the run itself said of numbers that went wrong while it went on. */
export function numberFindings({ warnings = [] }: RunStory): Finding[] {
  return [...exploded(warnings), ...leftOut(warnings)];
}

const shownSteps = 5;
const shownRows = 3;

function exploded(warnings: readonly WarningPoint[]): Finding[] {
  const found = warnings.filter(({ kind }) => kind === 'explosion');
  if (found.length === 0) return [];
  const skipped = found.filter(({ applied }) => !applied).length;
  return [
    {
      kind: 'exploding-gradient',
      title: 'Gradients exploded',
      evidence:
        `The gradient norm was far above that of the steps before at ${stepsText(found)}. ${rowsText(found)}` +
        `${skipped > 0 ? ` ${count(skipped, 'update')} were left out.` : ''}`,
      suggestion:
        'Look at these rows with `lorikeet inspect`: an answer that does not belong to its picture costs like this. Are they ' +
        'right, lower train.learningRate, or leave such steps out with train.onExplosion: skip.',
    },
  ];
}

function leftOut(warnings: readonly WarningPoint[]): Finding[] {
  const found = warnings.filter(({ kind }) => kind === 'not-finite');
  if (found.length === 0) return [];
  return [
    {
      kind: 'not-finite',
      title: 'Steps were left out because a number was not finite',
      evidence: `It was so at ${stepsText(found)}. ${rowsText(found)}`,
      suggestion:
        'Look at these rows with `lorikeet inspect`, and at the values of the base and the adapter; a learning rate that is too ' +
        'high ends the same way.',
    },
  ];
}

function stepsText(warnings: readonly WarningPoint[]): string {
  const steps = warnings.slice(0, shownSteps).map(({ step }) => step);
  const more = warnings.length > shownSteps ? ' and others' : '';
  return `${count(warnings.length, 'step')} (${steps.join(', ')}${more})`;
}

/** The rows that are named most often. */
function rowsText(warnings: readonly WarningPoint[]): string {
  const uses = new Map<number, { times: number; loss: number | null }>();
  for (const { row, loss } of warnings.flatMap(({ rows }) => rows)) {
    const known = uses.get(row);
    uses.set(row, { times: (known?.times ?? 0) + 1, loss: known?.loss ?? loss });
  }
  if (uses.size === 0) return '';
  const most = [...uses].sort(([, a], [, b]) => b.times - a.times || (b.loss ?? 0) - (a.loss ?? 0));
  const named = most
    .slice(0, shownRows)
    .map(([row, { loss }]) => `${row}${loss === null ? '' : ` (loss ${figure(loss)})`}`);
  return `Training rows that stand out in them: ${named.join(', ')}.`;
}
