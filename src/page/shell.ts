import { createHash } from 'node:crypto';
import { type Content, type Html, html, script, style } from './html.ts';
import { pageStyles } from './page-styles.ts';
import { tokenScript } from './token-styles.ts';

export interface PageParts {
  title: string;
  body: Content;
  /** More styles of ours. */
  styles?: string;
  /** More scripts of ours, run at the end of the body in this order. */
  scripts?: readonly string[];
  /** Markup for the head: `jsonData`. */
  head?: Content;
  /** Lets scripts and pictures talk to the server that the page came from; a file on disk talks to nobody. */
  live?: boolean;
}

/**
 * One HTML file that needs nothing else: styles and scripts stand in it, and its policy forbids every request. It
 * opens from disk, follows light and dark of the system unless its button was used, fits narrow windows and paper.
 */
export function page({ title, body, styles = '', scripts = [], head, live = false }: PageParts): string {
  const codes = [themeScript, tokenScript, ...scripts];
  const markup: Html = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(codes, live)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
${style(pageStyles + styles)}
${head}
</head>
<body>
<button id="theme" type="button" hidden></button>
<main>
${body}
</main>
${codes.map(script)}
</body>
</html>
`;
  return String(markup);
}

/** Scripts run by their hashes alone, so that none but ours ever runs. */
function policy(codes: readonly string[], live: boolean): string {
  const hashes = codes.map((code) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`);
  const own = live ? " 'self'" : '';
  return [
    "default-src 'none'",
    `script-src ${hashes.join(' ')}`,
    "style-src 'unsafe-inline'",
    `img-src data:${own}`,
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** The button for light and dark. What was chosen is kept where the browser lets a page keep something. */
const themeScript = `
(() => {
  const root = document.documentElement;
  const button = document.getElementById('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const stored = () => { try { return localStorage.getItem('lorikeet-theme'); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem('lorikeet-theme', theme); } catch {} };
  const current = () => root.dataset.theme ?? (system.matches ? 'dark' : 'light');
  const label = () => { button.textContent = current() === 'dark' ? 'Light' : 'Dark'; };
  if (['light', 'dark'].includes(stored())) root.dataset.theme = stored();
  button.hidden = false;
  label();
  system.addEventListener('change', label);
  button.addEventListener('click', () => {
    root.dataset.theme = current() === 'dark' ? 'light' : 'dark';
    keep(root.dataset.theme);
    label();
  });
})();
`;
