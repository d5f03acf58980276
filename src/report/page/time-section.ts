import type { CacheFacts } from '../../cache/matrix-cache.ts';
import { duration, number, tokensPerSecond } from '../../words.ts';
import type { RunStory } from '../run-story.ts';
import { memoryPlot, speedPlot } from './plots.ts';
import { facts, plotFigures, type Section, section } from './section.ts';

export function timeSection(story: RunStory): Section | undefined {
  const { steps, finish, baseline, evaluations } = story;
  const last = steps.at(-1);
  const seconds = finish?.seconds ?? last?.seconds;
  const scored = [baseline, ...evaluations].reduce((sum, point) => sum + (point?.seconds ?? 0), 0);
  const memory = finish?.peakMemory ?? steps.reduce((most, point) => Math.max(most, point.memory ?? 0), 0);
  const plots = [speedPlot(story), memoryPlot(story)];
  if (seconds === undefined && memory === 0 && plots.every((plot) => !plot)) return undefined;
  const step = last && seconds !== undefined && (seconds - scored) / last.step;
  return section(
    'time',
    'Time and memory',
    facts([
      ['In all', seconds !== undefined && duration(seconds)],
      ['Of it for evaluations', scored > 0 && duration(scored)],
      ['A step', typeof step === 'number' && step > 0 && `${number(Number(step.toPrecision(3)))} s`],
      ['Speed at the end', last?.tokensPerSecond !== undefined && tokensPerSecond(last.tokensPerSecond)],
      ['Most memory', memory > 0 && `${(memory / 1e9).toFixed(2)} GB`],
      ['Pictures', finish?.pictures && pictureWords(finish.pictures)],
    ]),
    plotFigures(plots),
  );
}

/** Where what the vision tower made of pictures came from, counted by the uses. */
function pictureWords({ computed, fromMemory, fromDisk, replaced }: CacheFacts): string {
  const instead = replaced > 0 ? `, ${number(replaced)} in place of entries that could not be used` : '';
  return `${number(computed)} computed${instead}, ${number(fromMemory)} from memory, ${number(fromDisk)} from disk`;
}
