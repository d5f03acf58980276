/** One row of an inspection page. */
import { tokenKinds } from '../data/example.ts';
import { shownProbability } from '../page/heat.ts';
import { type Html, html } from '../page/html.ts';
import { shownText, tokenStrip } from '../page/tokens.ts';
import { count, number, percent } from '../words.ts';
import { shortened } from './arithmetic.ts';
import type { InspectedImage, InspectedRow, LabelToken, SeenRow } from './row.ts';
import { ourStrip, theirStrip } from './strips.ts';
import { auditSentence } from './terminal-audit.ts';

export function rowSection(row: InspectedRow): Html {
  if ('refused' in row)
    return html`<section id="row-${row.row}"><h2>Row ${row.row}</h2><p class="refused data">${row.refused}</p></section>`;
  return html`<section id="row-${row.row}">
<div class="row-head"><h2>Row ${row.row}</h2><span class="quiet">${facts(row)}</span></div>
<div class="beside${row.images.length > 0 ? '' : ' no-picture'}">
${row.images.length > 0 && html`<div>${row.images.map(picture)}</div>`}
<div>${tokenStrip(ourStrip(row), `Row ${row.row}, token by token`)}</div>
</div>
${labelTable(row)}
${arithmetic(row)}
${row.wouldBe !== undefined && audit(row)}
</section>`;
}

function facts({ tokens, labelTokens, type, group, cut }: SeenRow): string {
  return [
    `${count(tokens.length, 'token')}, ${number(labelTokens)} of them trained (${percent(labelTokens / tokens.length)})`,
    type !== undefined && `type ${type}`,
    group !== undefined && `group ${group}`,
    cut && `${count(cut, 'token')} cut off by data.maxLength`,
  ]
    .filter(Boolean)
    .join(' · ');
}

function picture({ file, width, height, grid, tokens, picture: jpeg }: InspectedImage): Html {
  const caption = `${width} × ${height} pixels, ${grid[0]} × ${grid[1]} = ${count(tokens, 'image token')}`;
  return html`<figure>${jpeg && html`<img alt="${file}" src="data:image/jpeg;base64,${jpeg}">`}<figcaption><span class="data">${file}</span><br>${caption}</figcaption></figure>`;
}

function labelTable({ tokens, loss }: SeenRow): Html {
  const labels = tokens.flatMap((token, at) => (token.label ? [{ ...token, at }] : []));
  const known = loss !== null;
  const heads = html`<th class="n">token</th><th class="n">from</th><th class="n">id</th><th>text</th>`;
  const costs = html`<th class="n">probability</th><th class="n">loss</th><th>the likeliest here</th>`;
  const inside = html`<summary>${count(labels.length, 'label token')}, one by one</summary>
<div class="scroll"><table class="figures"><thead><tr>${heads}${known && costs}</tr></thead>
<tbody>${labels.map((label) => labelLine(label, known))}</tbody></table></div>`;
  return labels.length > unfolded
    ? html`<details>${inside}</details>`
    : html`<details open>${inside}</details>`;
}

/** Label tokens of a row up to which their table stands open. */
const unfolded = 24;

function labelLine(label: LabelToken & { at: number }, known: boolean): Html {
  const costs =
    known &&
    html`<td class="n">${shownProbability(label.probability!)}</td><td class="n">${label.loss!.toFixed(6)}</td><td class="likeliest">${label.top.map(likeliest)}</td>`;
  return html`<tr><td class="n">${label.at}</td><td class="n">${label.predictedFrom}</td><td class="n">${label.id}</td><td class="code">${shownText(label.text)}</td>${costs}</tr>`;
}

function likeliest({ text, id, probability }: LabelToken['top'][number]): Html {
  return html`<span><bdi>${text === '' ? `(${id})` : shownText(text)}</bdi> ${shownProbability(probability)}</span> `;
}

function arithmetic({ arithmetic: spelled, answer, labelTokens }: SeenRow): Html | false {
  if (spelled === null) return false;
  const ends = labelTokens - answer.labelTokens;
  const without =
    answer.loss !== null &&
    ends > 0 &&
    `Without the ${count(ends, 'end token')}: ${answer.sum!.toFixed(4)} / ${answer.labelTokens} = ${answer.loss.toFixed(4)}`;
  return html`<p class="arithmetic">${shortened(spelled, 60)}${without && html`<br>${without}`}</p>`;
}

function audit(row: SeenRow): Html {
  const { wouldBe } = row;
  if (!wouldBe) return html`<p class="quiet">The labels file has no sequence that is this row.</p>`;
  const lines = tokenKinds.flatMap((kind) => {
    const found = wouldBe.byReason[kind];
    if (!found) return [];
    const { tokens, trained, wouldBeTrained, share } = found;
    const part = share === null ? (wouldBeTrained > 0 ? 'not known' : '–') : percent(share);
    return html`<tr><td>${kind}</td><td class="n">${tokens}</td><td class="n">${trained}</td><td class="n">${wouldBeTrained}</td><td class="n">${part}</td></tr>`;
  });
  return html`<h3>Under another label rule</h3>
<p>${auditSentence(wouldBe)}</p>
${tokenStrip(theirStrip(row), `Row ${row.row} under ${wouldBe.rule}`)}
<div class="scroll"><table class="figures"><thead><tr><th>reason</th><th class="n">tokens</th><th class="n">trained</th><th class="n">would be</th><th class="n">share of its loss</th></tr></thead><tbody>${lines}</tbody></table></div>`;
}
