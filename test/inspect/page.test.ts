/** The page of inspected rows: what stands on it, and how it behaves in a browser where there is one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { openInspection } from '../../src/inspect/inspection.ts';
import { createPage } from '../../src/inspect/page.ts';
import { folderOf } from '../data/folder.ts';
import { hasBrowser, inBrowser, useBrowser } from '../support/browser.ts';
import { reference, referenceRun } from './reference.ts';

/** The page of the reference's rows, audited. */
async function written(file: string): Promise<string> {
  const opening = openInspection(await loadConfig(file), { labels: 'all', pictureSide: 64 });
  let next = await opening.next();
  while (!next.done) next = await opening.next();
  const page = createPage(next.value);
  for await (const row of next.value.read()) page.add(row);
  await next.value.close();
  return page.finish();
}

it('holds every row with its picture, its tokens and both sides of the audit', async () => {
  const text = await written(referenceRun());
  expect(text.match(/<section id="row-\d+">/g)).toHaveLength(3);
  expect(text.match(/src="data:image\/jpeg;base64,/g)).toHaveLength(3);
  expect(text).toContain(`${reference.rows[0].ids.length - 1} tokens are trained`);
  expect(text).toMatch(/Loss = \(\d/);
  expect(text).toContain('&lt;|im_end|&gt;');
  expect(text).not.toMatch(/https?:/);
});

it('says what is missing where there are no weights, and shows a row that is refused', async () => {
  const facts = {
    split: 'train',
    file: '/d/rows.jsonl',
    rows: [0],
    totalRows: 9,
    model: '/m',
    unmatched: [],
  } as const;
  const page = createPage({ ...facts, rows: [0], unmatched: [], withoutLosses: 'no <weights>' });
  page.add({ row: 0, refused: 'row 0: <b>no picture</b>' });
  const text = page.finish();
  expect(text).toContain('No losses: <span class="data">no &lt;weights&gt;</span>');
  expect(text).toContain('row 0: &lt;b&gt;no picture&lt;/b&gt;');
  expect(text).not.toContain('accuracy');
});

describe.skipIf(!hasBrowser)(inBrowser, () => {
  const openPage = useBrowser();

  async function open(viewport = { width: 1100, height: 900 }): Promise<Page> {
    const file = join(folderOf({}), 'rows.html');
    writeFileSync(file, await written(referenceRun()));
    const { page } = await openPage(pathToFileURL(file).href, { viewport });
    return page;
  }

  it('shows id, position, probability, loss and the five likeliest of a token under the pointer', async () => {
    const page = await open();
    await page.locator('.strip .t.l').first().hover();
    const details = await page.locator('#details').innerText();
    const { ids, labels, topIds } = reference.rows[0];
    expect(details).toContain(`id ${ids[labels[0]]}`);
    expect(details).toMatch(/position \(\d+, \d+, \d+\)/);
    expect(details).toMatch(/loss \d+\.\d\d, probability [\d.]+ %/);
    for (const id of topIds[0]) expect(details).toMatch(new RegExp(`  ${id}$`, 'm'));
    expect(details).toContain(`token ${labels[0]}, predicted from token ${labels[0] - 1}`);
    await page.close();
  });

  it('goes from token to token by the keyboard', async () => {
    const page = await open();
    await page.locator('.strip [tabindex="0"]').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#details').innerText()).toContain(`id ${reference.rows[0].ids[2]}`);
    await page.keyboard.press('Escape');
    expect(await page.locator('#details').isVisible()).toBe(false);
    await page.close();
  });

  it('fits a narrow window', async () => {
    const page = await open({ width: 390, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.close();
  });
});
