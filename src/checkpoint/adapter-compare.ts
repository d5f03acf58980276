/** Two adapters side by side: what was set otherwise, and how far and in which direction their updates differ. */
import { type AdapterSettings, openUnchecked, readPair } from './adapter-facts.ts';
import { kindOf } from './adapter-names.ts';
import { innerProduct, squaredDistance, squaredNorm } from './low-rank.ts';

export interface UpdateComparison {
  modules: number;
  /** Frobenius norms of the two updates over these modules; null where a value is not finite. */
  normFirst: number | null;
  normSecond: number | null;
  /** |second - first| / |first|; null where the first is zero or a value is not finite. */
  relativeDifference: number | null;
  /** 1 where both point the same way, 0 where neither says anything of the other; null where one is zero. */
  cosine: number | null;
}

export interface AdapterComparison {
  settings: { setting: keyof AdapterSettings; first: unknown; second: unknown }[];
  onlyFirst: string[];
  onlySecond: string[];
  /** Modules that both have, but of different sizes: of two models. */
  misshapen: string[];
  /** Over the modules of both, by kind. */
  kinds: (UpdateComparison & { kind: string })[];
  /** Over all modules of both. */
  all: UpdateComparison;
}

/** Throws `adapter` errors as `readAdapterFacts` does. */
export async function compareAdapters(firstDir: string, secondDir: string): Promise<AdapterComparison> {
  const [first, second] = [await openUnchecked(firstDir), await openUnchecked(secondDir)];
  const others = new Map(second.whole.map((pair) => [pair.module, pair]));
  const names = new Set(first.whole.map(({ module }) => module));
  const sums = new Map<string, Sums>();
  const misshapen: string[] = [];
  for (const pair of first.whole) {
    const other = others.get(pair.module);
    if (!other) continue;
    if (pair.a.shape[1] !== other.a.shape[1] || pair.b.shape[0] !== other.b.shape[0]) {
      misshapen.push(pair.module);
      continue;
    }
    const [x, y] = [await readPair(pair, first.settings), await readPair(other, second.settings)];
    const kind = kindOf(pair.module);
    const here = {
      modules: 1,
      first: squaredNorm(x),
      second: squaredNorm(y),
      inner: innerProduct(x, y),
      distance: squaredDistance(x, y),
    };
    sums.set(kind, added(sums.get(kind) ?? nothing, here));
  }
  return {
    settings: (Object.keys(first.settings) as (keyof AdapterSettings)[])
      .filter((setting) => first.settings[setting] !== second.settings[setting])
      .map((setting) => ({ setting, first: first.settings[setting], second: second.settings[setting] })),
    onlyFirst: [...names].filter((name) => !others.has(name)),
    onlySecond: [...others.keys()].filter((name) => !names.has(name)),
    misshapen,
    kinds: [...sums].map(([kind, sum]) => ({ kind, ...comparison(sum) })),
    all: comparison([...sums.values()].reduce(added, nothing)),
  };
}

/** Sums of squares over modules: of either update, of the one with the other, of their difference. */
interface Sums {
  modules: number;
  first: number;
  second: number;
  inner: number;
  distance: number;
}

const nothing: Sums = { modules: 0, first: 0, second: 0, inner: 0, distance: 0 };

const added = (x: Sums, y: Sums): Sums => ({
  modules: x.modules + y.modules,
  first: x.first + y.first,
  second: x.second + y.second,
  inner: x.inner + y.inner,
  distance: x.distance + y.distance,
});

function comparison({ modules, first, second, inner, distance }: Sums): UpdateComparison {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    modules,
    normFirst: finite(Math.sqrt(first)),
    normSecond: finite(Math.sqrt(second)),
    relativeDifference: finite(Math.sqrt(distance / first)),
    cosine: finite(inner / Math.sqrt(first * second)),
  };
}
