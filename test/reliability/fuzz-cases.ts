/** Runs a target over spoiled copies of its files. Every one must end in a LorikeetError or in a right result. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { LorikeetError } from '../../src/errors.ts';
import { type Mutation, spoiled } from './mutations.ts';
import type { Target } from './target.ts';

export interface FuzzTally {
  cases: number;
  /** Cases whose file was read, its faults where nobody looks or none. */
  read: number;
  refused: number;
  slowestMs: number;
  /** A case that ended otherwise, made as small as it gets: how to make it again, and what it threw. */
  failure?: string;
}

export interface FuzzOptions {
  folder: string;
  cases: number;
  seed: number;
  /** Called before each case with its file, which a crash of the process would take along. */
  before?: (file: Buffer) => void;
}

export async function fuzz(target: Target, { folder, cases, seed, before }: FuzzOptions): Promise<FuzzTally> {
  const { bases, read } = await target.open(folder);
  for (const [which, base] of bases.entries()) await read(base, which);
  const tally: FuzzTally = { cases: 0, read: 0, refused: 0, slowestMs: 0 };
  const made = (which: number, mutations: Mutation[], mends: boolean) => {
    const file = spoiled(bases[which], mutations, target.part);
    return mends && target.mend ? target.mend(file) : file;
  };
  const property = fc.asyncProperty(
    fc.nat(bases.length - 1),
    target.mutations,
    fc.boolean(),
    async (which: number, mutations: Mutation[], mends: boolean) => {
      const file = made(which, mutations, mends);
      before?.(file);
      const begun = performance.now();
      const outcome = await outcomeOf(() => read(file, which));
      tally.cases++;
      tally[outcome]++;
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - begun);
      if (Object.keys(Object.prototype).length > 0 || 'polluted' in {})
        throw new Error('a prototype was polluted');
    },
  );
  const result = await fc.check(property, { numRuns: cases, seed, interruptAfterTimeLimit: undefined });
  if (!result.failed) return tally;
  const [which, mutations, mends] = result.counterexample ?? [0, [], false];
  const file = join(folder, `failure-${target.name.replace(/\W+/g, '-')}`);
  writeFileSync(file, made(which, mutations, mends));
  const { errorInstance } = result;
  const thrown =
    errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return {
    ...tally,
    failure: `seed ${seed}, path ${result.counterexamplePath}, file ${file}\n${fc.stringify(mutations).slice(0, 600)}\n${thrown}`,
  };
}

async function outcomeOf(read: () => Promise<void>): Promise<'read' | 'refused'> {
  try {
    await read();
    return 'read';
  } catch (error) {
    if (error instanceof LorikeetError && isTold(error)) return 'refused';
    throw error;
  }
}

/** A message that a person can read: short enough, and without the insides of the program. */
function isTold({ message }: LorikeetError): boolean {
  return (
    message.length < 20_000 &&
    !/\bat \S+ \(.*:\d+:\d+\)|undefined is not|\.\w+ is not a function|Cannot read prop/.test(message)
  );
}
