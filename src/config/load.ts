/** From a config file and the command line to a checked config with its defaults and where each word came from. */
import path from 'node:path';
import { type ErrorDetails, LorikeetError } from '../errors.ts';
import { modelFolder } from '../hub/model-folder.ts';
import type { RepeatedRun } from '../train/repeat.ts';
import { spellOut } from './cache-words.ts';
import { contradictions, type Problem, problemsOf, valueAt } from './problems.ts';
import { type Config, type ConfigInput, configSchema, loraDefaults, pathWords } from './schema.ts';
import { applySettings, parseSetting, type Setting } from './set.ts';
import { readSource, type Source, sourceOf, type Tree } from './source.ts';

export interface ConfigDecision {
  /** Dotted: `train.epochs`. */
  key: string;
  value: unknown;
  /** `checkpoint`: as the run began that is gone on with. */
  from: 'default' | 'file' | 'command line' | 'checkpoint';
}

export interface LoadedConfig {
  /** The config file, absolute; undefined for a config that a program made. */
  file?: string;
  /** Defaults filled in, paths absolute, the id of a pulled model its folder. `lora` is absent where nobody wrote it. */
  config: Config;
  /** What trains. An `adapter` without a `lora` section brings its own rank, scale and modules. */
  method: 'lora' | 'full';
  /** The words of the `lora` section that were written; undefined without one. What `adapter` is held against. */
  loraGiven: Partial<NonNullable<Config['lora']>> | undefined;
  decisions: ConfigDecision[];
  /** The run whose record these words are of. */
  repeats?: RepeatedRun;
}

/**
 * Loads FILE.yaml, .json, .ts or .js; `set` holds `key=value` words that go before the file's. Relative paths,
 * those of `set` too, are relative to the file's folder. Throws one `config` error that lists every problem.
 */
export async function loadConfig(
  file: string,
  options: { set?: readonly string[] } = {},
): Promise<LoadedConfig> {
  const settings = (options.set ?? []).map(parseSetting);
  const absolute = path.resolve(file);
  const loaded = check({ source: await readSource(file), settings, file, folder: path.dirname(absolute) });
  return { ...loaded, file: absolute };
}

/** The same for a config that a program made: no file, paths relative to `folder`. */
export function resolveConfig(
  input: ConfigInput,
  folder = process.cwd(),
  set: readonly string[] = [],
): LoadedConfig {
  return check({ source: sourceOf(input), settings: set.map(parseSetting), folder });
}

interface Unchecked {
  source: Source;
  settings: readonly Setting[];
  /** As it was given, for messages. */
  file?: string;
  folder: string;
}

function check(unchecked: Unchecked): LoadedConfig {
  const { source, settings, folder } = unchecked;
  const tree = structuredClone(source.tree);
  spellOut(tree);
  for (const setting of settings) {
    applySettings(tree, [setting]);
    spellOut(tree); // at once, so that the next setting can change a word of it
  }
  const parsed = configSchema.safeParse(tree);
  const problems = [...(parsed.success ? [] : problemsOf(parsed.error, tree)), ...contradictions(tree)];
  if (!parsed.success || problems.length > 0) return refuse(problems, unchecked);
  const config = withAbsolutePaths(parsed.data, folder);
  try {
    config.model = modelFolder(parsed.data.model, folder);
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    return refuse([{ words: ['model'], what: error.what, fix: error.fix ?? '' }], unchecked);
  }
  return {
    config,
    method: config.full ? 'full' : 'lora',
    loraGiven: tree.lora as LoadedConfig['loraGiven'],
    decisions: decisionsOf(config, tree, settings),
  };
}

function refuse(problems: Problem[], unchecked: Unchecked): never {
  const placed = problems.map((problem) => place(problem, unchecked));
  placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const [first] = placed;
  if (placed.length === 1) throw new LorikeetError('config', first);
  const list = placed.map((details) => `\n  ${new LorikeetError('config', details).message}`).join('');
  const has = unchecked.file ? 'has' : 'the config has';
  throw new LorikeetError('config', {
    file: unchecked.file,
    what: `${has} ${placed.length} problems:${list}`,
  });
}

/** A problem of a word from the command line is told with that word, any other with its line in the file. */
function place({ words, what, fix }: Problem, { source, settings, file }: Unchecked): ErrorDetails {
  const typed = settings.findLast((setting) => setting.words.every((word, i) => word === words[i]));
  if (typed) return { what: `--set ${typed.typed}: ${what}`, fix };
  return { file, line: source.lineOf(words), what, fix };
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const resolved = structuredClone(config);
  for (const name of pathWords) {
    const words = name.split('.');
    const section = valueAt(resolved, words.slice(0, -1)) as Tree;
    const last = words[words.length - 1];
    if (typeof section[last] === 'string') section[last] = path.resolve(folder, section[last]);
  }
  return resolved;
}

function decisionsOf(config: Config, tree: Tree, settings: readonly Setting[]): ConfigDecision[] {
  // Without an adapter the defaults of LoRA decide too; with one, the adapter does.
  const decided = config.lora || config.full || config.adapter ? config : { ...config, lora: loraDefaults };
  return leavesOf(decided).map(([words, value]) => ({
    key: words.join('.'),
    value,
    from: originOf(words, tree, settings),
  }));
}

function originOf(words: string[], tree: Tree, settings: readonly Setting[]): ConfigDecision['from'] {
  if (valueAt(tree, words) === undefined) return 'default';
  const isSet = settings.some((setting) => setting.words.every((word, i) => word === words[i]));
  return isSet ? 'command line' : 'file';
}

/** Every word of a config with its value, sections walked. */
export function leavesOf(section: object, prefix: string[] = []): [string[], unknown][] {
  return Object.entries(section).flatMap(([word, value]): [string[], unknown][] => {
    if (value === undefined) return [];
    const words = [...prefix, word];
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isSection ? leavesOf(value, words) : [[words, value]];
  });
}
