import { type ThemeName, themes } from './colors.ts';
import { heatRules } from './heat.ts';
import { tokenStyles } from './token-styles.ts';

function variables(theme: ThemeName): string {
  return Object.entries(themes[theme])
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');
}

/**
 * Rules that differ by theme: dark as the system says, unless the page's button has said otherwise. Paper is light.
 */
export function themed(rules: (theme: ThemeName, root: string) => string): string {
  const dark = (root: string) => `{\n${rules('dark', root)}\n}\n`;
  return [
    `${rules('light', ':root')}\n`,
    `@media screen and (prefers-color-scheme:dark)${dark(':root:not([data-theme=light])')}`,
    `@media screen${dark(':root[data-theme=dark]')}`,
  ].join('');
}

const base = `
:root{--sans:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;--serif:Charter,'Bitstream Charter','Iowan Old Style',Georgia,serif;--mono:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;background:var(--paper);color:var(--ink);scroll-padding-top:24px}
body{margin:0;font:16px/1.6 var(--sans)}
main{max-width:1120px;margin:0 auto;padding:64px 32px 120px}
h1{font:600 40px/1.15 var(--serif);letter-spacing:-.01em;margin:0 0 8px;overflow-wrap:anywhere}
h2{font:600 25px/1.25 var(--serif);margin:0 0 8px}
h3{font:600 17px/1.4 var(--sans);margin:32px 0 6px}
section{margin-top:72px}
section>p,.lead{max-width:46em}
p{margin:0 0 14px}
a{color:var(--accent);text-underline-offset:.2em}
small,.quiet{color:var(--quiet)}
small{font-size:13.5px}
code,.code{font-family:var(--mono);font-size:.9em;overflow-wrap:anywhere}
.data{unicode-bidi:isolate;overflow-wrap:anywhere}
.figures{font-variant-numeric:tabular-nums}
ul,ol{margin:0 0 14px;padding-left:1.3em}
li{margin:4px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14.5px;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;color:var(--quiet);font-size:13px}
th,td{padding:8px 14px 8px 0;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;white-space:nowrap}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:20px 24px;margin:16px 0}
details>summary{cursor:pointer;color:var(--accent)}
summary:focus-visible,a:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
img{max-width:100%;height:auto}
#theme{position:absolute;top:16px;right:24px;font:13px/1 var(--sans);padding:8px 12px;color:var(--quiet);background:none;border:1px solid var(--rule);border-radius:99px;cursor:pointer}
@media (max-width:640px){main{padding:56px 18px 80px}h1{font-size:30px}h2{font-size:22px}section{margin-top:56px}.card{padding:16px}}
@media print{main{max-width:none;padding:0}#theme{display:none}section{break-inside:auto}.card,figure{break-inside:avoid}}
`;

/** All that a page needs. Colours as `--ink`, `--quiet`, `--paper`, `--card`, `--rule`, `--accent`, `--warning`. */
export const pageStyles = [
  themed((theme, root) => `${root}{color-scheme:${theme};${variables(theme)}}\n${heatRules(theme, root)}`),
  base,
  tokenStyles,
].join('');
