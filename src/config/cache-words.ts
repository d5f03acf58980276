/** The `cache` section in its short and its long form. */
import { LorikeetError } from '../errors.ts';
import { problemsOf } from './problems.ts';
import { type CacheConfig, type CacheInput, type CacheShorthand, cacheSchema } from './schema.ts';
import type { Tree } from './source.ts';

const sections: Record<CacheShorthand, Tree> = {
  f32: { precision: 'f32' },
  f16: { precision: 'f16' },
  off: { memory: 'off', disk: 'off' },
};

/** Puts the section in the place of the one word that may stand for it: `cache: f16`. */
export function spellOut(tree: Tree): void {
  const { cache } = tree;
  if (typeof cache === 'string' && Object.hasOwn(sections, cache))
    tree.cache = { ...sections[cache as CacheShorthand] };
}

/** What a program wrote, with its defaults. @throws LorikeetError 'config' */
export function cacheConfig(input: CacheInput): CacheConfig {
  const tree: Tree = { cache: structuredClone(input) };
  spellOut(tree);
  const parsed = cacheSchema.safeParse(tree.cache);
  if (parsed.success) return parsed.data;
  const [{ what, fix }] = problemsOf(parsed.error, tree.cache as Tree);
  throw new LorikeetError('config', { what: `cache: ${what}`, fix });
}
