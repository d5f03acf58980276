import { join } from 'node:path';
import { reportFiles } from '../train/report-files.ts';
import { checkReportFile, writeReportFile } from './report-output.ts';
import type { RunStory } from './run-story.ts';
import { slideOf } from './slide.ts';

/** Pixels across; 16:9. */
const slideWidth = 1920;

/**
 * Writes `slide.svg`, `slide.png` (1920 x 1080) and `slide.md` into a folder, `slide` in the run's own where none is
 * named. Throws `run` where that cannot be written or holds files of those names that no report wrote.
 *
 * @returns the files
 */
export async function writeSlide(
  story: RunStory,
  folder = join(story.folder, reportFiles.slide),
): Promise<string[]> {
  const { svg, markdown } = slideOf(story);
  // Loaded where it is needed, so that reading a run loads nothing native.
  const { rasterize } = await import('../data/image/render.ts');
  const files: [string, string | Uint8Array][] = [
    [join(folder, 'slide.svg'), svg],
    [join(folder, 'slide.png'), await rasterize(svg, slideWidth)],
    [join(folder, 'slide.md'), markdown],
  ];
  for (const [file] of files) checkReportFile(file);
  for (const [file, content] of files) await writeReportFile(file, content);
  return files.map(([file]) => file);
}
