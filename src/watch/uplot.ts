import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** uPlot as it stands in a page: its script defines `uPlot`. Read from the installed package. */
export function uplotParts(): { script: string; styles: string } {
  const folder = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist');
  return {
    script: readFileSync(join(folder, 'uPlot.iife.min.js'), 'utf8'),
    styles: readFileSync(join(folder, 'uPlot.min.css'), 'utf8'),
  };
}
