/**
 * The two pictures of the README, of the demo's own run: run the demo first. Needs Chromium.
 *
 *     npm run demo && npx jiti demo/screenshots.ts
 */
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { inspectCommand } from '../src/cli/inspect-command.ts';
import { sharp } from '../src/data/image/sharp.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = join(root, 'runs', 'demo', 'run');
const inspected = join(root, 'runs', 'demo', 'inspect.html');

/** Device pixels to a CSS pixel: sharp on a screen of either kind. */
const scale = 1.5;

async function shoot(page: Page, file: string, clip: { height: number; top?: number }): Promise<void> {
  const png = await page.screenshot({
    clip: { x: 0, y: clip.top ?? 0, width: page.viewportSize()!.width, height: clip.height },
    fullPage: true,
  });
  await sharp(png).png({ palette: true, colours: 128, effort: 10 }).toFile(join(root, 'docs', file));
}

await inspectCommand(join(root, 'runs', 'demo', 'demo.yaml'), {
  row: ['1'],
  split: 'validation',
  adapter: join(run, 'best'),
  html: inspected,
});
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 }, deviceScaleFactor: scale });
  await page.goto(pathToFileURL(join(run, 'report.html')).href);
  const losses = await page.locator('figure').first().boundingBox();
  await shoot(page, 'report.png', { height: losses!.y + losses!.height + 24 });
  await page.goto(pathToFileURL(inspected).href);
  const row = await page.locator('section, article').first().boundingBox();
  await shoot(page, 'inspect.png', { top: row!.y - 16, height: row!.height + 32 });
} finally {
  await browser.close();
}
