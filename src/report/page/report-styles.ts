import { themed } from '../../page/page-styles.ts';
import { plotRules, plotShapes } from '../../page/plot/frame.ts';

export const reportStyles = `${plotShapes}${themed((theme, root) => plotRules(theme, root))}
.kicker{font-size:14px;color:var(--quiet);margin-bottom:6px}
.status{margin-left:10px;padding:2px 10px;border:1px solid var(--rule);border-radius:99px;color:var(--ink)}
.status.failed{color:var(--warning);border-color:currentColor}
.status.running{color:var(--accent);border-color:currentColor}
#summary{margin-top:0}
.lead{font-size:19px;color:var(--quiet)}
.error{white-space:pre-wrap;overflow-wrap:anywhere;font:13.5px/1.6 var(--mono);color:var(--warning);margin:0 0 24px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:32px 0 10px}
.tile{max-width:340px;background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:14px 18px}
.tile dt{font-size:13.5px;color:var(--quiet)}
.tile dd{margin:2px 0 0;font-variant-numeric:tabular-nums}
.tile b{display:block;font:600 28px/1.3 var(--serif)}
.facts{margin:24px 0 0;font-size:15px}
.facts>div{display:grid;grid-template-columns:11em minmax(0,1fr);gap:0 16px;padding:7px 0;border-bottom:1px solid var(--rule)}
.facts dt{color:var(--quiet)}
.facts dd{margin:0}
.two .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));column-gap:48px}
.two .facts>div{grid-template-columns:8em minmax(0,1fr)}
#contents{margin-top:36px}
#contents nav{display:flex;flex-wrap:wrap;gap:6px 22px;font-size:14.5px}
.facts .note{color:var(--warning)}
.facts .note dt{color:inherit}
.cards{list-style:none;padding:0;margin:20px 0 0}
.finding{border-left:4px solid var(--accent);margin:0 0 14px}
.finding h3{margin:0 0 6px}
.finding p{max-width:60em;margin:0 0 6px}
.suggestion::before{content:'→ ';color:var(--accent)}
.plots{display:grid;gap:20px;margin:24px 0}
.plots.pair{grid-template-columns:repeat(auto-fill,minmax(min(100%,470px),1fr));align-items:start}
.plots figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:12px}
.plots svg{display:block;width:100%;height:auto;min-width:460px}
.plots.wide svg{min-width:640px}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:12px 40px;align-items:start}
.beside .plots{margin:8px 0;grid-template-columns:1fr}
caption{text-align:left;color:var(--quiet);font-size:13.5px;padding-bottom:4px}
.bands td,.bands th{padding-top:4px;padding-bottom:4px}
.row{display:grid;grid-template-columns:132px minmax(0,1fr);gap:20px;align-items:start;break-inside:avoid}
.shot{width:132px;border-radius:8px;display:block}
.shot.none{min-height:84px;display:grid;place-items:center;text-align:center;padding:8px;border:1px dashed var(--rule);color:var(--quiet);font-size:11.5px;line-height:1.4}
.row-head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 16px;margin:0 0 4px;font-size:13.5px;color:var(--quiet)}
.row-head b{color:var(--ink)}
.question{margin:0 0 12px;white-space:pre-wrap}
.scored th:first-child,.scored td:first-child{min-width:8em}
.decisions th[scope=row]{font-weight:500;color:var(--ink);min-width:11em}
.decisions td{min-width:9em}
.filter{font:15px var(--sans);width:min(24em,100%);padding:8px 12px;color:var(--ink);background:var(--card);border:1px solid var(--rule);border-radius:8px;margin-top:12px}
@media (max-width:640px){.row{grid-template-columns:84px minmax(0,1fr);gap:14px}.shot{width:84px}.facts>div{grid-template-columns:1fr}.lead{font-size:17px}.row .strip{grid-column:1/-1}}
@media print{#contents{display:none}details::details-content{content-visibility:visible}.plots.pair{grid-template-columns:1fr 1fr}.filter{display:none}}
`;
