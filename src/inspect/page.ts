/** Inspected rows as one HTML file that opens offline. */
import path from 'node:path';
import { heatLegend } from '../page/heat.ts';
import { type Html, html } from '../page/html.ts';
import { page } from '../page/shell.ts';
import { count, number } from '../words.ts';
import type { Inspection } from './inspection.ts';
import { rowSection } from './page-row.ts';
import { inspectStyles } from './page-styles.ts';
import type { InspectedRow } from './row.ts';
import { unmatchedLine } from './terminal-audit.ts';
import { addRow, emptyTotals, lossAndAccuracy } from './totals.ts';

/** A page of more rows is too long for a browser and for eyes. */
export const pageRows = 500;

export interface PageWriter {
  add(row: InspectedRow): void;
  /** The whole file. */
  finish(): string;
}

export type PageFacts = Pick<
  Inspection,
  'split' | 'file' | 'rows' | 'totalRows' | 'model' | 'adapter' | 'withoutLosses' | 'rule' | 'unmatched'
>;

/** Takes rows as they come and keeps what stands of them on the page. */
export function createPage(facts: PageFacts): PageWriter {
  const totals = emptyTotals();
  const sections: Html[] = [];
  const lines: Html[] = [];
  return {
    add(row) {
      addRow(totals, row);
      sections.push(rowSection(row));
      lines.push(contentsLine(row));
    },
    finish() {
      const title = `What the loss sees: ${path.basename(facts.file)}`;
      const known = facts.withoutLosses === undefined;
      const body = html`<h1>What the loss sees</h1>
<p class="lead">${count(facts.rows.length, 'row')} of ${number(facts.totalRows)} in <span class="data">${path.basename(facts.file)}</span> (${facts.split}), as the model receives them. What stands on colour is trained; the rest is masked. Point at a token, or go along with the arrow keys, for its details.</p>
<p class="quiet">Model <span class="data">${facts.model}</span><br>${adapterLine(facts)}${facts.rule && html`<br>Beside it: <span class="data">${facts.rule.note}</span>`}</p>
${known && heatLegend()}
${facts.unmatched.map((each) => html`<p class="refused data">${unmatchedLine(each)}</p>`)}
${known && html`<p>${lossAndAccuracy(totals)}</p>`}
${lines.length > 1 && contents(lines)}
${sections}`;
      return page({ title, body, styles: inspectStyles });
    },
  };
}

function adapterLine({ adapter, withoutLosses }: PageFacts): Html {
  if (withoutLosses !== undefined) return html`No losses: <span class="data">${withoutLosses}</span>`;
  return adapter === undefined ? html`Adapter none` : html`Adapter <span class="data">${adapter}</span>`;
}

function contents(lines: readonly Html[]): Html {
  return html`<div class="scroll"><table class="figures"><thead><tr><th>row</th><th class="n">tokens</th><th class="n">trained</th><th class="n">loss</th><th class="n">answer alone</th></tr></thead><tbody>${lines}</tbody></table></div>`;
}

function contentsLine(row: InspectedRow): Html {
  const link = html`<td><a href="#row-${row.row}">Row ${row.row}</a></td>`;
  if ('refused' in row) return html`<tr>${link}<td colspan="4" class="quiet">cannot be used</td></tr>`;
  const { tokens, labelTokens, loss, answer } = row;
  return html`<tr>${link}<td class="n">${tokens.length}</td><td class="n">${labelTokens}</td><td class="n">${loss?.toFixed(4) ?? '–'}</td><td class="n">${answer.loss?.toFixed(4) ?? '–'}</td></tr>`;
}
