/** Two configs of one run side by side: which words differ, and whether a run may go on under the new ones. */
import { leavesOf } from '../config/load.ts';
import { type Config, configSchema, loraDefaults } from '../config/schema.ts';

export interface ChangedWord {
  /** Dotted: `train.epochs`. */
  word: string;
  was: unknown;
  now: unknown;
  /** What the change does to the run that goes on; undefined where the word must not change. */
  effect?: string;
}

const schedule = 'the learning rate follows the new number of steps from here on';
const rounding =
  'sums are rounded otherwise from here on: no longer bit for bit what the run would have been';
const content = 'what stands there is held against what the run began with';
const now = 'from here on';
const none = 'it changes no step';

/** Every other word is part of what the run is. */
const mayChange = new Map(
  Object.entries({
    model: content,
    adapter: content,
    'data.train': content,
    'data.validation': content,
    'data.images': content,
    'data.test': none,
    'data.outside': content,
    'data.onBadRow': 'for rows that go bad from here on',
    'train.epochs': schedule,
    'train.maxSteps': schedule,
    'train.evaluateEvery': now,
    'train.evaluateStart': none,
    'train.gapRows': 'from the next evaluation on, and its gaps are about other rows than those before',
    'train.saveEvery': none,
    'train.keep': none,
    'train.threads': rounding,
    'pack.maxTokens': rounding,
    'train.recompute': rounding,
    'train.onNotFinite': now,
    'train.explosion': now,
    'train.onExplosion': now,
    'train.onStuck': now,
    'cache.memory': none,
    'cache.disk': none,
    'cache.folder': none,
    memory: 'the run is held to it from here on, cut as it began',
    output: none,
  }),
);

/** `before` may be of an older version: words that it did not have yet count as their defaults. */
export function changedWords(before: object, now: Config): ChangedWord[] {
  const parsed = configSchema.safeParse(before);
  const [old, fresh] = [parsed.success ? parsed.data : (before as Config), now].map(valuesOf);
  const words = [...new Set([...old.keys(), ...fresh.keys()])];
  return words
    .filter((word) => JSON.stringify(old.get(word)) !== JSON.stringify(fresh.get(word)))
    .map((word) => ({ word, was: old.get(word), now: fresh.get(word), effect: mayChange.get(word) }));
}

/** A section of LoRA that says no more than its defaults is the same as none. */
function valuesOf(config: Config): Map<string, unknown> {
  const settled = config.full || config.adapter ? config : { ...config, lora: config.lora ?? loraDefaults };
  return new Map(leavesOf(settled).map(([words, value]) => [words.join('.'), value]));
}

/** `train.epochs: 3 then, 5 now`. */
export function tellChange({ word, was, now }: ChangedWord): string {
  const shown = (value: unknown) => (value === undefined ? 'not given' : JSON.stringify(value));
  return `${word}: ${shown(was)} then, ${shown(now)} now`;
}
