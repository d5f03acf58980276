import { html } from '../../page/html.ts';
import { figure } from '../../words.ts';
import { calibrationOf } from '../calibration.ts';
import { figureWords, lossAndAccuracy } from '../glossary.ts';
import type { RunStory } from '../run-story.ts';
import { calibrationPlot, heldOut } from './plots.ts';
import { plotFigures, type Section, section } from './section.ts';

export function calibrationSection(story: RunStory): Section | undefined {
  const plot = calibrationPlot(story);
  if (!plot) return undefined;
  const before = calibrationOf(heldOut(story, 'start'));
  return section(
    'calibration',
    'How far its certainty can be trusted',
    html`<div class="beside">${plotFigures([plot])}<div>
<p>${lossAndAccuracy.short}</p><p>${lossAndAccuracy.same}</p><p>${lossAndAccuracy.wrong}</p>
<p>${figureWords.calibrationError}</p>
${before && html`<p>Before step 1 it was ${figure(before.error)}.</p>`}</div></div>`,
  );
}
