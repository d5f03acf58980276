import { type Content, html, trusted } from '../../page/html.ts';
import { page } from '../../page/shell.ts';
import type { RunStory } from '../run-story.ts';
import { calibrationSection } from './calibration-section.ts';
import { curveSection } from './curve-section.ts';
import { findingsSection } from './findings-section.ts';
import {
  accuracyPlot,
  answerLossPlot,
  answersPlot,
  calibrationPlot,
  gapPlot,
  gradientPlot,
  lossPlot,
  memoryPlot,
  speedPlot,
  typesPlot,
} from './plots.ts';
import { checkSection, decisionsSection, filterScript, missingSections } from './record-sections.ts';
import { reportStyles } from './report-styles.ts';
import { heatSection, worstSection } from './row-sections.ts';
import { scoresSection } from './scores-section.ts';
import { contentsSection, type NamedPlot, type Section } from './section.ts';
import { sharingSection } from './sharing-section.ts';
import { summarySection } from './summary-section.ts';
import { timeSection } from './time-section.ts';
import { typesSection } from './types-section.ts';

/** What makes the page live: of the server that shows it, handed to `page`. */
export interface LiveParts {
  styles?: string;
  scripts?: readonly string[];
  head?: Content;
}

/** The report as one HTML file that opens offline, or as the page of a server where `live` is given. */
export function renderReport(story: RunStory, { live }: { live?: LiveParts } = {}): string {
  return page({
    title: `${story.name} · run report`,
    body: reportSections(story).map((section) => html`${trusted(section.html)}\n`),
    styles: reportStyles + (live?.styles ?? ''),
    scripts: [filterScript, ...(live?.scripts ?? [])],
    head: live?.head,
    live: live !== undefined,
  });
}

/** The parts of the page in their order. What the run has nothing to say about is left out. */
export function reportSections(story: RunStory): Section[] {
  const parts = partsOf(story);
  return [summarySection(story), contentsSection(parts), ...parts];
}

function partsOf(story: RunStory): Section[] {
  return [
    ...missingSections(story),
    findingsSection(story),
    curveSection(story),
    calibrationSection(story),
    heatSection(story),
    worstSection(story),
    typesSection(story),
    scoresSection(story),
    timeSection(story),
    sharingSection(story),
    checkSection(story),
    decisionsSection(story),
  ].filter((section) => section !== undefined);
}

/** The plots of the page, each as an SVG file that stands alone. Names are file names without their ending. */
export function reportPlots(story: RunStory): NamedPlot[] {
  return [
    lossPlot(story),
    answerLossPlot(story),
    accuracyPlot(story),
    answersPlot(story),
    gradientPlot(story),
    gapPlot(story),
    calibrationPlot(story),
    typesPlot(story),
    speedPlot(story),
    memoryPlot(story),
  ].filter((plot) => plot !== undefined);
}
