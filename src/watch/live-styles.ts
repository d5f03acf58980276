import { seriesColors } from '../page/colors.ts';
import { themed } from '../page/page-styles.ts';

/** Of the bar that tells how the run goes, and of the live curves. */
export const liveStyles = `${themed(
  (theme, root) => `${root}{${seriesColors[theme].map((color, at) => `--series-${at}:${color}`).join(';')}}`,
)}
#live{position:sticky;top:0;z-index:5;background:var(--paper);border-bottom:1px solid var(--rule);font-size:14px;font-variant-numeric:tabular-nums}
#live>div{max-width:1120px;margin:0 auto;padding:10px 96px 10px 32px;display:flex;flex-wrap:wrap;gap:2px 18px;align-items:baseline}
#live b{font-weight:600}
#live b::before{content:'';display:inline-block;width:.6em;height:.6em;border-radius:50%;margin-right:.5em;background:var(--quiet)}
#live[data-state=live] b::before{background:var(--accent)}
#live[data-state=reconnecting] b::before,#live[data-state=failed] b::before{background:var(--warning)}
#live span{color:var(--quiet)}
#live progress{position:absolute;left:0;bottom:-2px;width:100%;height:3px;appearance:none;border:0;background:none;accent-color:var(--accent)}
#live progress::-webkit-progress-bar{background:none}
#live progress::-webkit-progress-value{background:var(--accent)}
#live progress::-moz-progress-bar{background:var(--accent)}
#theme{z-index:6;top:7px}
#live-curves figure{margin:24px 0 0;min-width:0}
#live-curves figcaption{font-weight:600;font-size:15px}
#live-curves figcaption small{font-weight:400}
.uplot,.u-legend{font-family:var(--sans)}
.u-legend{font-size:13px;text-align:left;margin:4px 0 0;width:auto}
.u-legend th,.u-legend td{border:0;padding:1px 4px;color:var(--quiet)}
.u-legend .u-marker{border-radius:50%}
.u-select{background:var(--accent);opacity:.15}
html:has(#live){scroll-padding-top:72px}
@media (max-width:640px){#live>div{padding:8px 84px 8px 18px}}
@media print{#live{display:none}}
`;
