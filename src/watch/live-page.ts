import { jsonData } from '../page/html.ts';
import { renderReport, reportSections } from '../report/page/report-page.ts';
import { readRun } from '../report/read-run.ts';
import { beatEvery } from './events.ts';
import { checkInside } from './inside.ts';
import { chartsScript } from './live-charts.ts';
import { liveScript } from './live-script.ts';
import { liveStyles } from './live-styles.ts';
import { formatPosition, nowhere } from './position.ts';
import type { Told } from './telling.ts';
import { uplotParts } from './uplot.ts';

/** The report of a run folder with what makes it live. Throws where the folder is no run's. */
export function tellReport(folder: string): Told {
  checkInside(folder);
  const story = readRun(folder);
  let page: string | undefined;
  return {
    sections: reportSections(story),
    page(version) {
      const start = {
        title: story.name,
        status: story.status,
        curves: 'curves',
        silence: 3 * beatEvery,
        // All points come as events; the sections stand in the page.
        position: formatPosition({ ...nowhere, sections: version }),
      };
      page ??= renderReport(story, { live: { ...parts(), head: jsonData('live-start', start) } });
      return page;
    },
  };
}

interface LiveParts {
  styles: string;
  scripts: string[];
}

let loaded: LiveParts | undefined;

function parts(): LiveParts {
  if (!loaded) {
    const uplot = uplotParts();
    loaded = { styles: uplot.styles + liveStyles, scripts: [uplot.script, chartsScript, liveScript] };
  }
  return loaded;
}
