/** The report in a real browser, from disk: nothing asked of any network, no error, and what a reader does. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { thumbnail } from '../../../src/data/image/render.ts';
import { renderReport, reportPlots } from '../../../src/report/page/report-page.ts';
import { hasBrowser, inBrowser, useBrowser } from '../../support/browser.ts';
import { makeStory } from '../story.ts';
import { temporaryFolder } from '../temporary-folder.ts';

describe.skipIf(!hasBrowser)(inBrowser, () => {
  const openPage = useBrowser();

  async function story() {
    const data = new Uint8Array(60 * 40 * 3).fill(120);
    return makeStory({ picture: await thumbnail({ width: 60, height: 40, data }, 60) });
  }

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const file = join(temporaryFolder(), 'report.html');
    writeFileSync(file, renderReport(await story()));
    const { page } = await openPage(pathToFileURL(file).href, options);
    return page;
  }

  const background = (page: Page) =>
    page.evaluate('getComputedStyle(document.documentElement).backgroundColor');

  it('shows the pictures of its rows and the details of a token, by pointer and by keyboard', async () => {
    const page = await open();
    expect(await page.evaluate('[...document.images].every((image) => image.naturalWidth === 60)')).toBe(
      true,
    );
    expect(await page.evaluate('document.images.length')).toBeGreaterThan(5);
    const details = page.locator('#details');
    expect(await details.isVisible()).toBe(false);
    await page.locator('#rows .pair[tabindex]').nth(1).hover();
    expect(await details.innerText()).toMatch(/^","\nat the start: loss .*\nat the end:/);
    const strip = page.locator('#worst .strip').first();
    await strip.locator('[tabindex="0"]').focus();
    const first = await details.innerText();
    await page.keyboard.press('ArrowRight');
    expect(await details.innerText()).not.toBe(first);
    await page.keyboard.press('Escape');
    expect(await details.isVisible()).toBe(false);
    await page.close();
  });

  it('follows light and dark of the system, and its own button', async () => {
    const page = await open({ colorScheme: 'dark' });
    expect(await background(page)).toBe('rgb(22, 24, 27)');
    const paper = () => page.evaluate(`getComputedStyle(document.querySelector('.plot .paper')).fill`);
    expect(await paper()).toBe('rgb(30, 33, 37)');
    await page.locator('#theme').click();
    expect(await background(page)).toBe('rgb(251, 250, 247)');
    expect(await paper()).toBe('rgb(255, 255, 255)');
    await page.close();
  });

  it('fits a narrow window', async () => {
    const page = await open({ viewport: { width: 390, height: 800 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.close();
  });

  it('opens its decisions and filters them', async () => {
    const page = await open();
    await page.locator('#decisions summary').click();
    const rows = page.locator('#decisions tbody tr:visible');
    expect(await rows.count()).toBe(6);
    await page.locator('#decisions .filter').fill('GUESSED');
    expect(await rows.allInnerTexts()).toEqual([expect.stringContaining('question_class')]);
    await page.close();
  });

  it('prints light, whatever the button says', async () => {
    const page = await open({ colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await background(page)).toBe('rgb(251, 250, 247)');
    await page.close();
  });

  it('draws each plot as a picture that stands alone', async () => {
    const folder = temporaryFolder();
    const plots = reportPlots(await story());
    for (const { name, svg } of plots) writeFileSync(join(folder, `${name}.svg`), svg);
    const images = plots.map(({ name }) => `<img src="${name}.svg">`).join('');
    writeFileSync(join(folder, 'plots.html'), images);
    const { page } = await openPage(pathToFileURL(join(folder, 'plots.html')).href);
    const widths = await page.evaluate('[...document.images].map((image) => image.naturalWidth)');
    expect(plots).toHaveLength(9);
    for (const width of widths as number[]) expect(width).toBeGreaterThanOrEqual(560);
    await page.close();
  });
});
