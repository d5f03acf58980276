/** Of inspection pages alone: the picture beside its text, and one under the other where there is no room. */
export const inspectStyles = `
.row-head{display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline}
.beside{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,2fr);gap:28px;align-items:start;margin:18px 0}
.beside.no-picture{grid-template-columns:minmax(0,1fr)}
.beside figure{margin:0 0 14px}
.beside figure img{display:block;border-radius:8px;border:1px solid var(--rule);min-width:min(100%,180px);image-rendering:auto}
.beside figcaption{font-size:13.5px;color:var(--quiet);margin-top:6px;overflow-wrap:anywhere}
.likeliest i.n{display:inline-block;width:1ch;height:1lh;overflow:hidden;vertical-align:bottom}
.arithmetic{margin-top:14px;font:14px/1.7 var(--mono);overflow-wrap:anywhere}
.refused{border-left:3px solid var(--warning);padding-left:14px}
td.code{white-space:pre}
td:first-child,th{white-space:nowrap}
.likeliest{min-width:16em;font:13px/1.6 var(--mono)}
.likeliest span{white-space:pre;margin-right:1.2em}
@media (max-width:760px){.beside{grid-template-columns:minmax(0,1fr);gap:14px}}
`;
