import type { AdapterComparison, UpdateComparison } from '../checkpoint/adapter-compare.ts';
import type { AdapterFacts, AdapterModule } from '../checkpoint/adapter-facts.ts';
import type { AdapterFit } from '../checkpoint/adapter-fit.ts';
import { inGigabytes } from '../checkpoint/output-folder.ts';
import { count, number, shortPath } from '../words.ts';
import { someOf, table } from './table.ts';

/** Problems of a fit that are told one by one. */
const shownProblems = 20;

export function describeAdapter(facts: AdapterFacts, { modules }: { modules: boolean }): string {
  const { settings, dtypes } = facts;
  const { rank, alpha, scale, rslora, dropout, baseModel } = settings;
  const layers = facts.layers > 0 ? ` in ${count(facts.layers, 'layer')}` : '';
  const lines = [
    shortPath(facts.dir),
    `  ${rslora ? 'rsLoRA' : 'LoRA'}, rank ${rank}, alpha ${alpha}, scale ${figure(scale)}, dropout ${dropout}; trained on ${baseModel ?? 'a base that it does not name'}`,
    `  ${count(facts.modules.length, 'module')}${layers}, ${count(facts.parameters, 'parameter')}, ${dtypes.join(' and ')}, ${inGigabytes(facts.bytes)}`,
    `  |update| ${figure(facts.normUpdate)} over all modules`,
    ...describeTroubles(facts),
    '',
    ...(modules ? moduleTable(facts.modules) : kindTable(facts)),
  ];
  return `${lines.join('\n')}\n`;
}

function describeTroubles({
  untrained,
  notFinite,
  broken,
  otherTensors,
  unsupported,
}: AdapterFacts): string[] {
  const told = (label: string, names: string[]) =>
    names.length > 0 ? [`  ${label} (${number(names.length)}): ${someOf(names)}`] : [];
  return [
    ...told('B is zero, so nothing was learned, in', untrained),
    ...told('NaN or infinite values in', notFinite),
    ...told('A half is missing or of another rank in', broken),
    ...told('No LoRA of a linear layer', otherTensors),
    ...unsupported.map((what) => `  Not supported by Lorikeet: ${what}`),
  ];
}

/** Norms are Frobenius norms, update = scale B A. */
function kindTable({ kinds }: AdapterFacts): string[] {
  const head = ['mean norms', 'modules', 'parameters', '|A|', '|B|', '|update|', 'least', 'most'];
  const rows = kinds.map((kind) => [
    kind.kind,
    number(kind.modules),
    number(kind.parameters),
    ...[kind.normA, kind.normB, kind.normUpdate, kind.leastUpdate, kind.mostUpdate].map(figure),
  ]);
  return kinds.length > 0 ? table([head, ...rows]) : [];
}

function moduleTable(modules: readonly AdapterModule[]): string[] {
  const head = ['norms', 'rank', 'in', 'out', '|A|', '|B|', '|update|'];
  const rows = modules.map((module) => [
    module.name,
    String(module.rank),
    number(module.inFeatures),
    number(module.outFeatures),
    ...[module.normA, module.normB, module.normUpdate].map(figure),
  ]);
  return table([head, ...rows]);
}

export function describeComparison(comparison: AdapterComparison): string {
  const { settings, onlyFirst, onlySecond, misshapen, kinds, all } = comparison;
  const settingRows = settings.map(({ setting, first, second }) => [
    setting,
    String(first ?? 'none'),
    String(second ?? 'none'),
  ]);
  const told = (label: string, names: string[]) =>
    names.length > 0 ? [`  ${label} (${number(names.length)}): ${someOf(names)}`] : [];
  const lines = [
    'First against second',
    ...(settings.length > 0
      ? table([['settings that differ', 'first', 'second'], ...settingRows])
      : ['  same settings']),
    ...told('Modules in the first alone', onlyFirst),
    ...told('Modules in the second alone', onlySecond),
    ...told('Of other sizes in the two', misshapen),
    '',
    ...(all.modules > 0
      ? table([
          ['updates of both', 'modules', '|first|', '|second|', 'difference', 'cosine'],
          ...kinds.map((kind) => [kind.kind, ...comparisonCells(kind)]),
          ['all', ...comparisonCells(all)],
        ])
      : ['  No module is in both.']),
  ];
  return `${lines.join('\n')}\n`;
}

/** The difference is told as a share of the first update. */
function comparisonCells({
  modules,
  normFirst,
  normSecond,
  relativeDifference,
  cosine,
}: UpdateComparison): string[] {
  const difference = relativeDifference === null ? '-' : `${figure(relativeDifference * 100)} %`;
  return [
    number(modules),
    figure(normFirst),
    figure(normSecond),
    difference,
    cosine === null ? '-' : cosine.toFixed(4),
  ];
}

export function describeFit({ model, fits, tensors, problems }: AdapterFit): string {
  if (fits) return `Fits ${shortPath(model)}: all ${number(tensors)} tensors have their place.\n`;
  const shown = problems.slice(0, shownProblems).map((problem) => `  ${problem}`);
  const more =
    problems.length > shownProblems ? [`  and ${number(problems.length - shownProblems)} more`] : [];
  return `${[`Does not fit ${shortPath(model)}:`, ...shown, ...more].join('\n')}\n`;
}

/** Three digits; a dash where there is no number. */
function figure(value: number | null): string {
  if (value === null) return '-';
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}
