/** The rooms of src/ and the rules between them. A rule that is not tested here is only a wish. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findCycle, importedPath, importsOf, reached, readSources, valueGraph } from './support/imports.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** In the order in which a batch passes them. A file imports values from its own room and from earlier ones. */
const rooms = [
  'foundation',
  'formats',
  'hub',
  'cache',
  'config',
  'data',
  'graph',
  'autodiff',
  'nn',
  'models',
  'runtime',
  'optim',
  'checkpoint',
  'metrics',
  'check',
  'train',
  'generate',
  'evaluate',
  'trainer',
  'page',
  'inspect',
  'report',
  'watch',
  'cli',
];
const foundation = ['errors.ts', 'dtype.ts', 'random.ts', 'words.ts'];
/** What users import; nothing of ours imports them. */
const surface = ['index.ts', 'loss.ts'];

const files = readSources(`${root}src`);
const graph = valueGraph(files);

function roomOf(path: string): string {
  if (foundation.includes(path)) return 'foundation';
  return surface.includes(path) ? 'surface' : path.split('/')[0];
}

const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Files that import the package, types too: a type of it in a signature ties a file to it all the same. */
function importersOf(matches: (name: string) => boolean): string[] {
  return files
    .filter(({ imports }) => imports.some(({ specifier }) => matches(packageOf(specifier))))
    .map(({ path }) => path);
}

describe('src', () => {
  it('has its files in rooms that stand in the order', () => {
    const unknown = files
      .map(({ path }) => path)
      .filter((path) => ![...rooms, 'surface'].includes(roomOf(path)));
    expect(unknown, 'files in a room without a place in the order').toEqual([]);
  });

  it('imports values only from the same room or an earlier one', () => {
    const wrong = [...graph].flatMap(([path, targets]) => {
      if (surface.includes(path)) return [];
      return targets
        .filter((target) => {
          const at = rooms.indexOf(roomOf(target));
          return at === -1 || at > rooms.indexOf(roomOf(path));
        })
        .map((target) => `${path} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has no cycle of value imports', () => {
    expect(findCycle(graph)?.join(' -> ')).toBeUndefined();
  });

  it('imports only files that are there, by their own names', () => {
    const known = new Set(files.map(({ path }) => path));
    const missing = files.flatMap(({ path, imports }) =>
      imports
        .map(({ specifier }) => importedPath(path, specifier))
        .filter((target) => target?.endsWith('.ts') && !known.has(target))
        .map((target) => `${path} -> ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it('imports only packages that package.json names as dependencies', () => {
    const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    const used = files.flatMap(({ imports }) =>
      imports
        .map(({ specifier }) => packageOf(specifier))
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
    );
    expect([...new Set(used)].sort()).toEqual(Object.keys(dependencies).sort());
  });

  it('imports each native or replaceable package in one place', () => {
    expect(importersOf((name) => name === 'onnxruntime-node')).toEqual(['runtime/session.ts']);
    expect(importersOf((name) => name === 'sharp')).toEqual(['data/image/sharp.ts']);
    const huggingface = importersOf((name) => name.startsWith('@huggingface/'));
    expect(huggingface.filter((path) => roomOf(path) !== 'data')).toEqual(['hub/api.ts']);
    expect(importersOf((name) => name === '@huggingface/hub')).toEqual(['hub/api.ts']);
    expect(importersOf((name) => name.startsWith('hyparquet'))).toEqual(['data/parquet/hyparquet.ts']);
  });

  it('keeps data/ from knowing any model', () => {
    const wrong = files
      .filter(({ path }) => roomOf(path) === 'data')
      .flatMap(({ path, imports }) =>
        imports
          .map(({ specifier }) => importedPath(path, specifier))
          .filter((target) => target !== undefined && roomOf(target) === 'models')
          .map((target) => `${path} -> ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('has no file above 500 lines and a median below 150', () => {
    expect(files.filter(({ lines }) => lines > 500).map(({ path }) => path)).toEqual([]);
    const lengths = files.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(150);
  });
});

describe('lorikeet/loss', () => {
  it('loads nothing but itself and the foundation: no package and nothing of Node, so a browser can run it', () => {
    const loaded = [...reached(graph, 'loss.ts')];
    expect(loaded.filter((path) => path !== 'loss.ts' && roomOf(path) !== 'foundation')).toEqual([]);
    const outside = files
      .filter(({ path }) => loaded.includes(path))
      .flatMap(({ imports }) =>
        imports.filter(({ typeOnly, specifier }) => !typeOnly && !specifier.startsWith('.')),
      );
    expect(outside).toEqual([]);
  });
});

describe('the repository', () => {
  it('names no drawer: a file or folder is called after what it holds', () => {
    const folders = ['src', 'test', 'demo', 'bench', 'examples', 'reference'];
    const names = folders.flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true }).map(String),
    );
    const drawers = names.filter((name) =>
      name.split(/[\\/]/).some((part) => /^(utils?|helpers?|common|misc)(\.|$)/i.test(part)),
    );
    expect(drawers).toEqual([]);
  });
});

describe('the reading of imports', () => {
  it('tells what is loaded from what the compiler erases', () => {
    const text = `
      import { a } from './a.ts';
      import type { B } from './b.ts';
      import { type C } from './c.ts';
      import './d.ts';
      export { e } from './e.ts';
      export type { F } from './f.ts';
      export * from './g.ts';
      const h = await import('./h.ts');
      const i = require('i/package.json');
      new Worker(new URL('./j.js', import.meta.url));
      // import './comment.ts'
      const text = "import './text.ts'";
    `;
    const loaded = importsOf(text).filter(({ typeOnly }) => !typeOnly);
    expect(loaded.map(({ specifier }) => specifier)).toEqual([
      './a.ts',
      './c.ts',
      './d.ts',
      './e.ts',
      './g.ts',
      './h.ts',
      'i/package.json',
      './j.js',
    ]);
    const erased = importsOf(text).filter(({ typeOnly }) => typeOnly);
    expect(erased.map(({ specifier }) => specifier)).toEqual(['./b.ts', './f.ts']);
    expect(importedPath('trainer/train.ts', './worker.js')).toBe('trainer/worker.ts');
  });

  it('finds a cycle and what a file reaches', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
      ['d', ['a']],
    ]);
    expect(findCycle(edges)).toEqual(['b', 'c', 'b']);
    expect(
      findCycle(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['c']],
        ]),
      ),
    ).toBeUndefined();
    expect([...reached(edges, 'a')]).toEqual(['a', 'b', 'c']);
  });
});
