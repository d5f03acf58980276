/** Of token strips and the heat legend; the colours of the heat come from `heat.ts`. */
export const tokenStyles = `
.strip{font:15px/2 var(--mono);white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.t{color:var(--quiet);border-radius:4px;padding:.2em 0;margin-right:1px;unicode-bidi:isolate;box-decoration-break:clone;-webkit-box-decoration-break:clone}
.t.l{color:var(--ink);font-weight:600}
.t.l:not([class*=h]){box-shadow:inset 0 -2px var(--accent)}
.t.image{border:1px dashed var(--quiet);padding:.2em .6em;margin:0 .2em;white-space:nowrap;font:13px/1 var(--sans)}
.strip [tabindex]{cursor:default}
.strip [tabindex]:hover,.strip [tabindex]:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.strip i{font-style:normal}
i.s{background:radial-gradient(circle at center,currentColor 0 .07em,transparent .1em);opacity:.45}
i.n::before{content:'↵';opacity:.45}
.strip>:last-child i.n:last-child{display:inline-block;width:1ch;height:1lh;overflow:hidden;vertical-align:bottom}
i.tab::before{content:'→';opacity:.45}
i.part::before{content:'◌';opacity:.45}
.pairs{display:flex;flex-wrap:wrap;gap:10px 2px;line-height:1.5;align-items:flex-end}
.pair{display:inline-flex;flex-direction:column;min-width:2.9em;text-align:center;font-size:14px;border-radius:4px;unicode-bidi:isolate}
.pair .word{padding:0 .25em;font-weight:600;white-space:pre;max-width:18em;overflow:hidden;text-overflow:ellipsis}
.pair .word i.n{display:inline-block;width:1ch;height:1lh;overflow:hidden;vertical-align:bottom}
.pair .cost{font:11.5px/1.75 var(--sans);font-variant-numeric:tabular-nums;padding:0 .4em;margin-top:1px;border-radius:3px}
.pair.names{min-width:3em;text-align:left;color:var(--quiet);font:11.5px/1.75 var(--sans)}
.pair.names span+span{margin-top:1px}
.legend{display:flex;flex-wrap:wrap;gap:2px;font-size:12px;line-height:1.5;margin:12px 0;font-variant-numeric:tabular-nums}
.legend span{display:flex;flex-direction:column;align-items:center;min-width:4.2em;padding:3px 4px;border-radius:4px}
.legend .legend-names{align-items:flex-start;min-width:6em;padding-left:0;color:var(--quiet)}
.legend b{font-weight:600}
.legend i{font-style:normal;font-size:11px}
#details{position:fixed;z-index:9;max-width:min(34em,calc(100vw - 16px));margin:0;padding:9px 12px;border-radius:8px;background:var(--ink);color:var(--paper);font:12.5px/1.55 var(--mono);white-space:pre-wrap;overflow-wrap:anywhere;pointer-events:none;box-shadow:0 6px 24px #0004}
#details[hidden]{display:none}
@media print{#details{display:none}.strip{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;

/**
 * Shows a token's title as details of our own under the pointer and on focus. Without it the browser shows the title.
 * Listens on the document, so that sections which come later are served as well.
 */
export const tokenScript = `
(() => {
  const box = document.createElement('pre');
  box.id = 'details';
  box.role = 'tooltip';
  box.hidden = true;
  document.body.append(box);
  let shown;
  const cellOf = (target) => target instanceof Element ? target.closest('.strip [tabindex]') : null;
  const hide = () => {
    if (shown) shown.removeAttribute('aria-describedby');
    shown = undefined;
    box.hidden = true;
  };
  const show = (cell) => {
    if (cell === shown) return;
    hide();
    if (cell.title) {
      cell.dataset.details = cell.title;
      cell.removeAttribute('title');
    }
    if (!cell.dataset.details) return;
    shown = cell;
    box.textContent = cell.dataset.details;
    box.hidden = false;
    cell.setAttribute('aria-describedby', 'details');
    const at = cell.getClientRects()[0];
    const left = Math.min(at.left, innerWidth - box.offsetWidth - 8);
    const below = at.bottom + 8;
    const fits = below + box.offsetHeight < innerHeight;
    box.style.left = Math.max(8, left) + 'px';
    box.style.top = (fits ? below : Math.max(8, at.top - box.offsetHeight - 8)) + 'px';
  };
  const meet = (event) => {
    const cell = cellOf(event.target);
    if (cell) show(cell);
    else if (event.type === 'pointerover' && shown !== document.activeElement) hide();
  };
  document.addEventListener('pointerover', meet);
  document.addEventListener('focusin', meet);
  document.addEventListener('focusout', hide);
  document.addEventListener('scroll', hide, { passive: true, capture: true });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hide();
    const cell = cellOf(event.target);
    if (!cell) return;
    const cells = [...cell.closest('.strip').querySelectorAll('[tabindex]')];
    const to = { ArrowRight: cells.indexOf(cell) + 1, ArrowLeft: cells.indexOf(cell) - 1, Home: 0, End: cells.length - 1 }[event.key];
    const next = cells[to];
    if (!next) return;
    event.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    show(next);
  });
})();
`;
