/** What the files of a Hugging Face Trainer run say about it, and what a paper has to say beside that. */
import { count, figure } from '../../words.ts';
import { peakRate } from '../curves.ts';
import type { RunStory } from '../run-story.ts';
import { bestOf, finalOf, loraOf, modelName, progressOf } from './known-run.ts';
import { cite, code, formula, type Prose, say, scientific } from './prose.ts';

type Sentence = (story: RunStory) => Prose | undefined;

const adapter: Sentence = (story) => {
  const lora = loraOf(story);
  const name = modelName(story);
  const base = name === undefined ? undefined : say` of ${code(name)}`;
  if (!lora) return say`A model was trained with the Hugging Face Trainer; which parameters is not recorded.`;
  const scale = lora.rslora
    ? say`, rank-stabilised scale ${formula(String.raw`\alpha / \sqrt{r}`)} ${cite('kalajdzievski2023rank')}`
    : undefined;
  const targets = Array.isArray(lora.targetModules) ? lora.targetModules.join(', ') : lora.targetModules;
  return say`Low-rank adapters (LoRA) ${cite('hu2022lora')}${base}, of rank ${lora.rank}, alpha ${lora.alpha}${scale} and dropout ${lora.dropout}, were trained on the modules ${code(targets)} with the Hugging Face Trainer.`;
};

const course: Sentence = (story) => {
  const { step } = progressOf(story);
  if (step === 0) return undefined;
  const peak = peakRate(story);
  return say`${count(step, 'optimizer step')} are recorded${peak === undefined ? undefined : say`, the learning rate ${scientific(peak)} at its highest`}.`;
};

const figures: Sentence = (story) => {
  const last = finalOf(story);
  if (!last) return undefined;
  const best = bestOf(story)!;
  const least = best.step === last.step ? '' : `; the lowest was ${figure(best.loss)} at step ${best.step}`;
  return say`The Trainer's evaluation loss was ${figure(last.loss)} at step ${last.step}${least}.`;
};

const open: Sentence = () =>
  say`Not recorded in these files, and to be added by whoever knows: the tokens that the loss was computed on, what it was averaged over, the data, the rows of a step, optimizer settings, precision and seeds.`;

export const trainerSentences: readonly Sentence[] = [adapter, course, figures, open];
