import { compareAdapters } from '../checkpoint/adapter-compare.ts';
import { readAdapterFacts } from '../checkpoint/adapter-facts.ts';
import { checkAdapterFit } from '../checkpoint/adapter-fit.ts';
import { describeAdapter, describeComparison, describeFit } from './adapter-words.ts';

export interface AdapterCommandOptions {
  /** The base to hold it against. */
  model?: string;
  /** A line for each module instead of each kind. */
  modules?: boolean;
  json?: boolean;
}

/** Runs `lorikeet adapter` and gives the exit code: 0, or 1 where an adapter does not fit the base. */
export async function adapterCommand(dirs: string[], options: AdapterCommandOptions): Promise<number> {
  const adapters = [];
  for (const dir of dirs) {
    const facts = await readAdapterFacts(dir);
    adapters.push(options.model ? { ...facts, fit: await checkAdapterFit(dir, options.model) } : facts);
  }
  const comparison = dirs.length === 2 ? await compareAdapters(dirs[0], dirs[1]) : undefined;
  if (options.json) process.stdout.write(`${JSON.stringify({ adapters, comparison }, null, 2)}\n`);
  else {
    const parts = adapters.map((adapter) => {
      const told = describeAdapter(adapter, { modules: options.modules ?? false });
      return 'fit' in adapter ? `${told}\n${describeFit(adapter.fit)}` : told;
    });
    if (comparison) parts.push(describeComparison(comparison));
    process.stdout.write(parts.join('\n'));
  }
  return adapters.every((adapter) => !('fit' in adapter) || adapter.fit.fits) ? 0 : 1;
}
