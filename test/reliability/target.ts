import type fc from 'fast-check';
import type { JsonPart, Mutation } from './mutations.ts';

/** Real files of one kind, and the code that reads them. */
export interface Target {
  name: string;
  mutations: fc.Arbitrary<Mutation[]>;
  /** Where JSON stands in these files; the whole file where not given. */
  part?: JsonPart;
  /** Makes a spoiled file pass its format's own checksums, so that what stands behind them is reached too. */
  mend?(file: Buffer): Buffer;
  /** Makes what the files stand in, in an empty folder. */
  open(folder: string): Promise<OpenTarget>;
}

export interface OpenTarget {
  /** Files as they are without a fault; all of them are read right. */
  bases: Buffer[];
  /** Reads a spoiled copy of `bases[which]`. Throws what the code throws, and an Error of its own for a result that is wrong. */
  read(file: Buffer, which: number): Promise<void>;
}

/** For results: what must hold of anything that was read. */
export function holds(what: string, is: boolean): void {
  if (!is) throw new Error(`wrong result: ${what}`);
}
