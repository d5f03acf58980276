/** What a merge tells while it runs and when it is done. */
import type { StoredDType } from './companions.ts';
import { type PlannedFile, totalBytes } from './merge-plan.ts';
import { emptyTally, type RoundingTally } from './merge-tensor.ts';

export interface MergeProgress {
  /** `check` reads the adapter, `write` the base, `verify` what was written. */
  phase: 'check' | 'write' | 'verify';
  /** Bytes of all phases together. */
  bytes: number;
  totalBytes: number;
  secondsLeft: number;
}

/** What rounding to the stored type made of the update. */
export interface MergeRounding {
  /** |W' - (W + D)| / |D| in the Frobenius norm, D the update and W' what is stored. 0 is exact. */
  relativeError: number;
  /** Share of the weights that D moves which are stored exactly as they were. */
  unmoved: number;
}

export interface MergeReport {
  output: string;
  /** Names of the files that hold weights. */
  files: string[];
  /** Bytes of all tensors. */
  bytes: number;
  tensors: number;
  dtypes: StoredDType[];
  /** Modules whose weight got an update, in the order of the model. */
  modules: ({ name: string } & MergeRounding)[];
  /** Modules whose B is zero: they are in the adapter, and their weights stay as they are. */
  untrained: string[];
  /** Over all modules; absent where none has an update. */
  rounding?: MergeRounding;
  seconds: number;
}

export function reportOf(
  files: readonly PlannedFile[],
  adapterModules: readonly string[],
  tallies: ReadonlyMap<string, RoundingTally>,
): Omit<MergeReport, 'output' | 'seconds'> {
  const tensors = files.flatMap((file) => file.tensors);
  const merged = adapterModules.filter((name) => tallies.has(name));
  const all = emptyTally();
  for (const tally of tallies.values())
    for (const key of Object.keys(all) as (keyof RoundingTally)[]) all[key] += tally[key];
  return {
    files: files.map(({ name }) => name),
    bytes: totalBytes(files),
    tensors: tensors.length,
    dtypes: [...new Set(tensors.map(({ dtype }) => dtype))].sort(),
    modules: merged.map((name) => ({ name, ...rounding(tallies.get(name)!) })),
    untrained: adapterModules.filter((name) => !tallies.has(name)),
    ...(merged.length > 0 && { rounding: rounding(all) }),
  };
}
const rounding = ({ update, error, changed, unmoved }: RoundingTally): MergeRounding => ({
  relativeError: update === 0 ? 0 : Math.sqrt(error / update),
  unmoved: changed === 0 ? 0 : unmoved / changed,
});
