import { describeCheck } from '../../check/describe.ts';
import { type Content, html } from '../../page/html.ts';
import { count } from '../../words.ts';
import type { RunStory } from '../run-story.ts';
import { beginning, type Section, section, withCode } from './section.ts';

/** What the pass over the data before step 1 found. */
export function checkSection({ record }: RunStory): Section | undefined {
  if (!record?.check) return undefined;
  const lines = describeCheck(record.check).map((line) => {
    const [, name, text] = /^(.{11}) (.*)$/s.exec(line) ?? ['', '', line];
    return html`<div class="${name.trim() === 'Note' ? 'note' : ''}"><dt>${name.trim()}</dt><dd class="data">${beginning(text, 1000)}</dd></div>`;
  });
  return section('check', 'The data', html`<dl class="facts check">${lines}</dl>`, skipped(record.skipped));
}

const mostSkipped = 100;

function skipped(rows: NonNullable<RunStory['record']>['skipped'] = []): Content {
  if (rows.length === 0) return undefined;
  const shown = rows
    .slice(0, mostSkipped)
    .map(
      ({ split, row, reason }) => html`<li class="data">${split} row ${row}: ${beginning(reason, 300)}</li>`,
    );
  const left = rows.length - mostSkipped;
  return html`<details id="skipped"><summary>${count(rows.length, 'row is', 'rows are')} not used</summary><ul>${shown}</ul>${
    left > 0 && html`<p>and ${count(left, 'row')} more</p>`
  }</details>`;
}

const mostValueText = 400;

/** Every decision with its reason. The field above it filters, see `filterScript`. */
export function decisionsSection({ record }: RunStory): Section | undefined {
  const decisions = record?.decisions ?? [];
  if (decisions.length === 0) return undefined;
  const rows = decisions.map(
    ({ what, value, reason }) =>
      html`<tr><th scope="row" class="code">${beginning(what, 200)}</th><td class="code data">${valueText(value)}</td><td class="data">${beginning(reason, 600)}</td></tr>`,
  );
  return section(
    'decisions',
    'Every decision and its reason',
    html`<details id="all-decisions"><summary>${count(decisions.length, 'decision')}</summary><p><input class="filter" type="search" placeholder="Filter" aria-label="Filter the decisions"></p><div class="scroll" tabindex="0"><table class="decisions"><thead><tr><th scope="col">what</th><th scope="col">value</th><th scope="col">because</th></tr></thead><tbody>${rows}</tbody></table></div></details>`,
  );
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'not set');
  return beginning(text, mostValueText);
}

/** Hides the rows of a table that do not hold what is typed above it; sections that come later are served as well. */
export const filterScript = `
document.addEventListener('input', (event) => {
  if (!event.target.matches?.('.filter')) return;
  const wanted = event.target.value.toLowerCase();
  for (const row of event.target.closest('details').querySelectorAll('tbody tr'))
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
`;

/** What these files do not say, and what they should hold and do not. */
export function missingSections({ unknown, missing }: RunStory): Section[] {
  const list = (texts: string[]) =>
    html`<ul>${texts.map((text) => html`<li class="data">${withCode(text)}</li>`)}</ul>`;
  return [
    ...(unknown.length > 0
      ? [
          section(
            'unknown',
            'Unknown',
            html`<p>What these files do not say, and a reader of the figures would have to know:</p>`,
            list(unknown),
          ),
        ]
      : []),
    ...(missing.length > 0
      ? [section('missing', 'Missing', html`<p>What could not be read:</p>`, list(missing))]
      : []),
  ];
}
