import type { CacheShorthand } from './schema.ts';
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
