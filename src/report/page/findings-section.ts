import { html } from '../../page/html.ts';
import { findingsOf } from '../findings.ts';
import type { RunStory } from '../run-story.ts';
import { type Section, section, withCode } from './section.ts';

/** What the numbers say, each with what it rests on. */
export function findingsSection(story: RunStory): Section {
  const findings = findingsOf(story);
  if (findings.length === 0) {
    return section(
      'findings',
      'What the run says',
      html`<p>Nothing beyond its curves: no number here is strong enough to act on.</p>`,
    );
  }
  const cards = findings.map(
    ({ title, evidence, suggestion }) =>
      html`<li class="card finding"><h3>${title}</h3><p class="data">${withCode(evidence)}</p><p class="data suggestion">${withCode(suggestion)}</p></li>`,
  );
  return section('findings', 'What the run says', html`<ol class="cards">${cards}</ol>`);
}
