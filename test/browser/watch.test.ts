/** A run that is watched in a real browser: what moves, what a person does, and what survives a break. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { thumbnail } from '../../src/data/image/render.ts';
import { watch } from '../../src/watch/watch.ts';
import { generatedRun, lines, writeRun } from '../report/generated-run.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';
import { hasBrowser, inBrowser, scrollWidth, useBrowser } from '../support/browser.ts';

const run = generatedRun();

/** A run folder that stands at `step`, with pictures that decode. */
async function runningRun(step: number): Promise<string> {
  const { finish: _, ...record } = run.record;
  const events = run.events.filter((event) => event.type !== 'finish' && event.step <= step);
  const running = { ...run, record: { ...record, status: 'running' as const }, events };
  const folder = writeRun(join(temporaryFolder(), 'run'), running);
  const jpeg = await thumbnail({ width: 60, height: 40, data: new Uint8Array(60 * 40 * 3).fill(90) }, 60);
  for (const { picture } of run.last)
    if (picture) writeFileSync(join(folder, 'scores', 'pictures', picture), jpeg);
  return folder;
}

/** What the run writes from after `from` up to step `to`. */
function goOn(folder: string, from: number, to: number): void {
  const events = run.events.filter(
    (event) => event.type !== 'finish' && event.step > from && event.step <= to,
  );
  appendFileSync(join(folder, 'metrics.jsonl'), lines(events));
}

function finish(folder: string): void {
  writeFileSync(join(folder, 'metrics.jsonl'), lines(run.events));
  writeFileSync(join(folder, 'run.json'), JSON.stringify(run.record));
}

async function serve(folder: string, port = 0) {
  const watching = await watch(folder, { port });
  onTestFinished(watching.close);
  return watching;
}

const bar = (page: Page) => page.locator('#live');
const drawn = (page: Page, steps: number) =>
  page.locator(`#live-curves[data-steps="${steps}"]`).waitFor({ timeout: 20_000 });

describe.skipIf(!hasBrowser)(inBrowser, () => {
  const open = useBrowser();

  it('shows a run as it goes on, and its report when it is over', async () => {
    const folder = await runningRun(20);
    const { url } = await serve(folder);
    const { page, problems } = await open(url);
    await drawn(page, 20);
    expect(await bar(page).innerText()).toMatch(/live\s+step 20 of 60 · loss \d/);
    expect(await page.locator('#live-curves .uplot').count()).toBe(4);
    goOn(folder, 20, 30);
    await drawn(page, 30);
    await page.locator('#live-curves[data-evaluations="4"]').waitFor();
    expect(await bar(page).innerText()).toContain('step 30 of 60');
    // The report's own sections follow the evaluation.
    await page.locator('#summary', { hasText: 'step 30' }).waitFor({ timeout: 20_000 });
    finish(folder);
    await page.locator('#live[data-state="finished"]').waitFor({ timeout: 20_000 });
    await page.locator('#curves svg').first().waitFor();
    expect(await page.locator('#live-curves').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('catches up after its server was gone, and draws no point twice', async () => {
    const folder = await runningRun(20);
    const first = await watch(folder);
    const { page } = await open(first.url);
    await drawn(page, 20);
    await first.close();
    await page.locator('#live[data-state="reconnecting"]').waitFor({ timeout: 20_000 });
    goOn(folder, 20, 33);
    await serve(folder, Number(new URL(first.url).port));
    await drawn(page, 33);
    await page.locator('#live[data-state="live"]').waitFor();
    await page.close();
  });

  it('keeps what a person opened and where they are, while sections change', async () => {
    const folder = await runningRun(20);
    const { url } = await serve(folder);
    const { page } = await open(url);
    await drawn(page, 20);
    const decisions = page.locator('#decisions details').first();
    await decisions.evaluate((element) => {
      (element as unknown as { open: boolean }).open = true;
    });
    await decisions.scrollIntoViewIfNeeded();
    const top = () => decisions.evaluate((element) => element.getBoundingClientRect().top);
    const before = await top();
    goOn(folder, 20, 40);
    await page.locator('#summary', { hasText: 'step 40' }).waitFor({ state: 'attached', timeout: 20_000 });
    expect(await decisions.evaluate((element) => element.hasAttribute('open'))).toBe(true);
    expect(Math.abs((await top()) - before)).toBeLessThan(30);
    await page.close();
  });

  it('keeps the token that the keyboard is at, while its section is written anew', async () => {
    const folder = await runningRun(20);
    const { url } = await serve(folder);
    const { page, problems } = await open(url);
    await drawn(page, 20);
    await page.locator('#worst .strip [tabindex="0"]').first().focus();
    await page.keyboard.press('ArrowRight');
    const at = () => page.evaluate('document.activeElement.dataset.details ?? document.activeElement.title');
    const token = JSON.parse(String(await at()).split('\n')[0]);
    // The same rows at a later evaluation: the section comes again with other figures.
    const scores = run.last.map((score) => ({
      ...score,
      step: 30,
      tokens: score.tokens.map((one) => ({ ...one, loss: one.loss / 2 })),
    }));
    writeFileSync(join(folder, 'scores', 'last.jsonl'), lines(scores));
    goOn(folder, 20, 30);
    await page.locator('#worst', { hasText: 'at step 30' }).waitFor({ state: 'attached', timeout: 20_000 });
    expect(JSON.parse(String(await at()).split('\n')[0])).toBe(token);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('keeps what was typed into a filter', async () => {
    const folder = await runningRun(20);
    const { url } = await serve(folder);
    const { page } = await open(url);
    await drawn(page, 20);
    await page.locator('#all-decisions > summary').click();
    await page.locator('#all-decisions .filter').fill('no such decision');
    const { finish: _, ...record } = run.record;
    const decisions = [...run.record.decisions!, { what: 'added', value: 1, reason: 'later' }];
    writeFileSync(join(folder, 'run.json'), JSON.stringify({ ...record, status: 'running', decisions }));
    await page
      .locator('#decisions tbody tr', { hasText: 'added' })
      .waitFor({ state: 'attached', timeout: 20_000 });
    expect(await page.locator('#all-decisions .filter').inputValue()).toBe('no such decision');
    expect(await page.locator('#decisions tbody tr:visible').count()).toBe(0);
    await page.close();
  });

  it('tells of a token under the pointer, in the dark and in a narrow window', async () => {
    const { url } = await serve(await runningRun(20));
    const { page, problems } = await open(url, {
      colorScheme: 'dark',
      viewport: { width: 390, height: 800 },
    });
    await drawn(page, 20);
    expect(await scrollWidth(page)).toBe(390);
    const background = 'getComputedStyle(document.documentElement).backgroundColor';
    expect(await page.evaluate(background)).toBe('rgb(22, 24, 27)');
    await page.locator('#worst .strip [tabindex]').first().hover();
    expect(await page.locator('#details').innerText()).toMatch(/loss \d/);
    expect(problems).toEqual([]);
    await page.close();
  });
});
