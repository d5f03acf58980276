/** Which modules carry LoRA, which parameters are trained whole: selection by name, as PEFT selects. */
import { withinSeconds } from '../data/bounded-time.ts';
import { LorikeetError } from '../errors.ts';

/** A linear layer that LoRA can stand beside; `name` is its name in the model, without `.weight`. */
export interface LinearModule {
  name: string;
  inFeatures: number;
  outFeatures: number;
  part: 'decoder' | 'vision' | 'merger';
}

/** What LoRA and adapter files need to know of a model. */
export interface LoraTargets {
  modules: LinearModule[];
  /** Every module name of the model, linear or not: what a suffix could hit by accident. */
  moduleNames: string[];
  /** The name in the model of a parameter or module as any generation of files names it. */
  canonicalName(stored: string): string;
}

/** Suffixes (`q_proj`, `attn.proj`) or whole names; or one regex for whole names; or `all-linear`. */
export type TargetModules = string | readonly string[];

export const allLinear = 'all-linear';

/**
 * The names of the modules that `targetModules` selects, in the order of `modules`. The rule is PEFT's: an entry of
 * a list matches a name that equals it or ends with `.` + entry; a string is a regex that must match the whole name,
 * `all-linear` every linear layer. Throws a `config` error where nothing, or nothing for one entry, is selected.
 */
export function selectModules(modules: readonly { name: string }[], targetModules: TargetModules): string[] {
  const names = modules.map(({ name }) => name);
  if (typeof targetModules === 'string' && targetModules.toLowerCase() === allLinear) return names;
  return selectNames(names, targetModules, 'lora.targetModules');
}

/** The same rule over parameter names (`norm.weight`, `.*\\.bias`); `all` selects every one. */
export function selectParameters(parameters: readonly { name: string }[], which: TargetModules): string[] {
  const names = parameters.map(({ name }) => name);
  if (which === 'all') return names;
  return selectNames(names, which, 'full.parameters');
}

function selectNames(names: readonly string[], which: TargetModules, word: string): string[] {
  const fail = (what: string): never => {
    throw new LorikeetError('config', { what: `${word} ${what}`, fix: describeNames(names) });
  };
  if (typeof which === 'string') {
    const regex = pythonRegex(which, word);
    const selected = matching(names, regex) ?? fail(`regex ${which} takes more than ${maxSeconds} s`);
    if (selected.length === 0) fail(`regex ${which} matches no whole name`);
    return selected;
  }
  if (which.length === 0) fail('expected at least one entry, got an empty list');
  for (const entry of which) {
    if (!names.some((name) => isNamedBy(name, entry))) fail(`entry ${JSON.stringify(entry)} matches nothing`);
  }
  return names.filter((name) => which.some((entry) => isNamedBy(name, entry)));
}

/** For all names: a thousand times what it takes. */
const maxSeconds = 10;

/** Nothing where the regex takes for ever on some name. */
function matching(names: readonly string[], regex: RegExp): string[] | undefined {
  try {
    return withinSeconds(maxSeconds, () => names.filter((name) => regex.test(name)));
  } catch {
    return undefined;
  }
}

/** PEFT's rule for one entry of a list. */
export function isNamedBy(name: string, entry: string): boolean {
  return name === entry || name.endsWith(`.${entry}`);
}

/** What there is, each family once: layer numbers are written N. */
function describeNames(names: readonly string[]): string {
  const families = new Set(names.map((name) => name.replace(/\.(layers|blocks)\.\d+\./, '.$1.N.')));
  const shown = [...families].slice(0, 24);
  const more = families.size > shown.length ? `, and ${families.size - shown.length} more` : '';
  return `Give a list of suffixes or a regex for whole names. There are: ${shown.join(', ')}${more}.`;
}

/** Python's `re.fullmatch` as a JavaScript regex; what cannot be said in both is refused. */
function pythonRegex(pattern: string, word: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = pattern
    .slice(flags?.[0].length ?? 0)
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\([AZ])/g, (_, anchor) => (anchor === 'A' ? '^' : '$'));
  try {
    return new RegExp(`^(?:${source})$`, flags?.[1] ?? '');
  } catch (cause) {
    throw new LorikeetError('config', {
      what: `${word} ${pattern} is not a valid regex: ${(cause as Error).message}`,
      fix: 'A list of suffixes such as [q_proj, v_proj] does without a regex.',
      cause,
    });
  }
}

/**
 * The shortest suffix list with which PEFT selects exactly `selected`: no suffix hits another module by accident,
 * as `proj` would hit the patch embedding. Sorted.
 */
export function suffixesFor(selected: readonly string[], moduleNames: readonly string[]): string[] {
  const wanted = new Set(selected);
  const others = moduleNames.filter((name) => !wanted.has(name));
  const suffixes = selected.map((name) => {
    const parts = name.split('.');
    for (let start = parts.length - 1; start > 0; start--) {
      const suffix = parts.slice(start).join('.');
      // A bare number (`mlp.2`'s) names too little, and may be another model's layer.
      if (!/^\d/.test(suffix) && !others.some((other) => isNamedBy(other, suffix))) return suffix;
    }
    return name;
  });
  return [...new Set(suffixes)].sort();
}
