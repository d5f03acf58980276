import { html } from '../../page/html.ts';
import { count, number, percent } from '../../words.ts';
import { configOf } from '../curves.ts';
import { distinctPictures } from '../methods/known-run.ts';
import type { RunStory, StepPoint } from '../run-story.ts';
import { facts, type Section, section } from './section.ts';

type CountedStep = StepPoint & Required<Pick<StepPoint, 'rows' | 'pictures' | 'rowTokens' | 'tokens'>>;

const isCounted = (step: StepPoint): step is CountedStep =>
  [step.rows, step.pictures, step.rowTokens, step.tokens].every((value) => value !== undefined);

/** What the steps that were done computed once for several rows. */
export function sharingSection(story: RunStory): Section | undefined {
  const steps = story.steps.filter(isCounted);
  if (steps.length === 0) return undefined;
  const sum = (read: (step: CountedStep) => number) => steps.reduce((total, step) => total + read(step), 0);
  const [separate, computed] = [sum(({ rowTokens }) => rowTokens), sum(({ tokens }) => tokens)];
  if (computed <= 0 || separate < computed) return undefined;
  const pictures = sum((step) => step.pictures) / steps.length;
  const distinct = distinctPictures(story, 'train');
  return section(
    'sharing',
    'What was shared',
    html`<p>${
      separate === computed
        ? 'Nothing: no rows that ran together begin alike, or sharing was switched off.'
        : 'Rows of a step that begin alike, with the same pictures, ran as one prefix and its branches. Losses and gradients are those of separate samples.'
    }</p>`,
    facts([
      ['Rows trained on', number(sum(({ rows }) => rows))],
      ['Distinct pictures', distinct !== undefined && number(distinct)],
      ['Of them in a step', pictures > 0 && pictures.toFixed(1)],
      ['Tokens of separate samples', number(separate)],
      [
        'Tokens computed',
        `${number(computed)}${separate > computed ? `, ${percent(1 - computed / separate)} less` : ''}`,
      ],
      ['Factor', separate > computed && `${(separate / computed).toFixed(2)} times fewer tokens`],
      ['Order', orderWords(story)],
    ]),
  );
}

function orderWords(story: RunStory): string | undefined {
  const { train, pack } = configOf(story);
  if (train?.shuffle === undefined || !pack) return undefined;
  if (!train.shuffle) return 'as in the file';
  if (pack.order !== 'groups') return 'every row shuffled by itself';
  return `up to ${count(pack.maxBranches ?? 1, 'row')} about the same pictures shuffled as one`;
}
