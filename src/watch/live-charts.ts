/** The live curves in the browser: `lorikeetCharts(where)` gives `{ add }`. Needs `uPlot` before it. */
export const chartsScript = `
function lorikeetCharts(where) {
  const percent = (value) => value == null ? '–' : (100 * value).toFixed(1) + ' %';
  const digits = (value) => value == null ? '–' : value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2) : String(+value.toPrecision(4));
  // Columns of points after their step, as the server sends them.
  const plans = [
    { title: 'Loss', unit: 'nats a label token', shown: digits, lines: [
      { label: 'training step', of: 'steps', column: 1, color: 0, faint: true },
      { label: 'smoothed', of: 'steps', column: 'smooth', color: 0 },
      { label: 'validation', of: 'evaluations', column: 1, color: 1 },
      { label: 'answers alone', of: 'evaluations', column: 2, color: 2 },
      { label: 'training rows, same step', of: 'evaluations', column: 5, color: 3 },
    ] },
    { title: 'Accuracy', unit: 'share of the validation data', shown: percent, lines: [
      { label: 'tokens right', of: 'evaluations', column: 3, color: 0 },
      { label: 'answers exact', of: 'evaluations', column: 4, color: 1 },
    ] },
    { title: 'Answers given', unit: 'share of the rows that are asked', shown: percent, lines: [
      { label: 'right', of: 'evaluations', column: 6, color: 0 },
      { label: 'token F1', of: 'evaluations', column: 7, color: 1 },
      { label: 'floor', of: 'evaluations', column: 8, color: 3, faint: true },
    ] },
    { title: 'Gradient norm', unit: 'before clipping', shown: digits, lines: [
      { label: 'norm', of: 'steps', column: 2, color: 0 },
    ] },
    { title: 'Learning rate', unit: 'of each step', shown: digits, lines: [
      { label: 'rate', of: 'steps', column: 3, color: 0 },
    ] },
  ];
  const points = { steps: [], evaluations: [] };

  /** As the report smooths: the mean of the points around each, a fortieth of the curve wide. */
  const smoothed = (rows) => {
    if (rows.length < 30) return rows.map(() => null);
    const half = Math.round(Math.min(201, Math.max(5, rows.length / 40)) / 2 - 0.5);
    const sums = [0];
    const counts = [0];
    rows.forEach((row, i) => {
      sums.push(sums[i] + (row[1] ?? 0));
      counts.push(counts[i] + (row[1] == null ? 0 : 1));
    });
    return rows.map((_, i) => {
      const from = Math.max(0, i - half);
      const to = Math.min(rows.length, i + half + 1);
      return counts[to] === counts[from] ? null : (sums[to] - sums[from]) / (counts[to] - counts[from]);
    });
  };

  const table = (of, lines) => {
    const rows = points[of];
    const columns = lines.map(({ column }) => column === 'smooth' ? smoothed(rows) : rows.map((row) => row[column] ?? null));
    return [rows.map((row) => row[0]), ...columns];
  };
  const dataOf = ({ lines }) => {
    const ofSteps = lines.filter(({ of }) => of === 'steps');
    const ofEvaluations = lines.filter(({ of }) => of === 'evaluations');
    if (ofEvaluations.length === 0) return table('steps', ofSteps);
    if (ofSteps.length === 0) return table('evaluations', ofEvaluations);
    return uPlot.join([table('steps', ofSteps), table('evaluations', ofEvaluations)]);
  };

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const optionsOf = (plan, width) => {
    const quiet = color('--quiet');
    const rule = color('--rule');
    const axis = { stroke: quiet, font: '12px system-ui, sans-serif', grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1, size: 4 } };
    return {
      width,
      height: plan.title === 'Loss' ? 300 : 200,
      cursor: { sync: { key: 'lorikeet' }, drag: { x: true, y: false } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, size: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] },
        { ...axis, size: 62, values: (_, values) => values.map((value) => plan.shown(value)) },
      ],
      series: [
        { label: 'step', value: (_, value) => value == null ? '–' : String(value) },
        ...plan.lines.map((line) => ({
          label: line.label,
          value: (_, value) => plan.shown(value),
          stroke: color('--series-' + line.color),
          alpha: line.faint && points.steps.length >= 30 ? 0.4 : 1,
          width: line.faint ? 1 : 2,
          spanGaps: line.of === 'evaluations' || line.column === 'smooth' || !!line.faint,
          points: { show: line.of === 'evaluations' ? true : undefined, size: 6 },
        })),
      ],
    };
  };

  const figures = plans.map((plan) => {
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    const place = document.createElement('div');
    const unit = document.createElement('small');
    caption.append(plan.title + ' ', unit);
    unit.textContent = plan.unit;
    figure.append(caption, place);
    figure.hidden = true;
    figure.classList.toggle('small', plan.lines.length === 1);
    where.append(figure);
    return { plan, figure, place, chart: undefined };
  });

  const widthOf = ({ place }) => Math.max(200, place.clientWidth);
  const build = (entry) => {
    entry.chart?.destroy();
    entry.chart = new uPlot(optionsOf(entry.plan, widthOf(entry)), dataOf(entry.plan), entry.place);
  };
  const hasData = ({ lines }) => lines.some(({ of, column }) => column === 'smooth' ? false : points[of].some((row) => row[column] != null));
  /** Keeps what somebody has zoomed to. */
  const isZoomed = ({ scales, data }) => scales.x.min > data[0][0] || scales.x.max < data[0][data[0].length - 1];

  let due = false;
  const draw = () => {
    due = false;
    for (const entry of figures) {
      if (entry.figure.hidden && !hasData(entry.plan)) continue;
      if (!entry.chart) {
        entry.figure.hidden = false;
        build(entry);
      } else if (isZoomed(entry.chart)) {
        entry.chart.setData(dataOf(entry.plan), false);
        entry.chart.redraw();
      } else entry.chart.setData(dataOf(entry.plan));
    }
    where.dataset.steps = points.steps.length;
    where.dataset.evaluations = points.evaluations.length;
  };
  // Hidden pages get no animation frames, so a page in the background draws nothing.
  const drawSoon = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(draw);
  };
  const restyle = () => figures.filter(({ chart }) => chart).forEach(build);
  new MutationObserver(restyle).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle);
  new ResizeObserver(() => {
    for (const entry of figures) entry.chart?.setSize({ width: widthOf(entry), height: entry.chart.height });
  }).observe(where);

  return {
    add({ steps, evaluations }) {
      for (const step of steps) points.steps.push(step);
      for (const evaluation of evaluations) points.evaluations.push(evaluation);
      drawSoon();
    },
  };
}
`;
