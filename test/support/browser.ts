/** Debian's Chromium for the tests that look at a page as a person would. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';

const executablePath = '/usr/bin/chromium';
export const hasBrowser = existsSync(executablePath);
/** Behind the name of a group of tests. */
export const inBrowser = 'in a browser (skipped where there is no chromium)';

export interface Opened {
  page: Page;
  /** Errors, warnings, and every request that left the page's own server or file. */
  problems: string[];
}

/** Starts a browser for the tests of a group; gives how a page is opened in it. */
export function useBrowser(): (url: string, options?: BrowserContextOptions) => Promise<Opened> {
  let browser: Browser;
  beforeAll(async () => {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    browser = await chromium.launch({
      executablePath,
      args: [...args, '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
  });
  afterAll(() => browser?.close());

  return async (url, options = {}) => {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options });
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on(
      'console',
      (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()),
    );
    const home = url.startsWith('file:') ? 'file:' : new URL(url).origin;
    page.on('request', (request) => {
      if (!request.url().startsWith(home) && !request.url().startsWith('data:')) problems.push(request.url());
    });
    await page.goto(url);
    expect(problems).toEqual([]);
    return { page, problems };
  };
}

export const scrollWidth = (page: Page) => page.evaluate('document.documentElement.scrollWidth');
