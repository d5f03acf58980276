/** A config file as a plain tree, and the line on which each of its words stands. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { LorikeetError } from '../errors.ts';

export type Tree = { [key: string]: unknown };
export type TreePath = readonly (string | number)[];

export interface Source {
  tree: Tree;
  /** The line, from 1, of the word or of the nearest thing around it; undefined where the file is a program. */
  lineOf(words: TreePath): number | undefined;
}

const sizeLimit = 256 * 1024;
const depthLimit = 16;
const aliasLimit = 100;
const programs = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']);

/** Reads .yaml, .yml and .json as text, .ts and .js as programs whose default export is the config. */
export async function readSource(file: string): Promise<Source> {
  const extension = path.extname(file).toLowerCase();
  const size = await sizeOf(file);
  if (programs.has(extension))
    return { tree: plainTree(await runProgram(file), file), lineOf: () => undefined };
  if (!['.yaml', '.yml', '.json'].includes(extension)) {
    throw new LorikeetError('config', {
      file,
      what: `expected a file ending in .yaml, .yml, .json, .ts or .js, got "${extension}"`,
      fix: 'Rename it after what it holds.',
    });
  }
  if (size > sizeLimit) {
    const what = `expected a config of at most ${sizeLimit} bytes, got ${size}`;
    throw new LorikeetError('config', {
      file,
      what,
      fix: 'This looks like a data file; name it under data.train.',
    });
  }
  // JSON is YAML, so one reader gives lines for both.
  return readYaml(await readFile(file, 'utf8'), file);
}

/** A config that a program made. */
export function sourceOf(value: unknown, file?: string): Source {
  return { tree: plainTree(value, file), lineOf: () => undefined };
}

async function sizeOf(file: string): Promise<number> {
  const status = await stat(file).catch(() => undefined);
  if (status?.isFile()) return status.size;
  const what = status ? 'is a folder; a config file was expected' : 'is not there';
  throw new LorikeetError('config', {
    file,
    what,
    fix: 'Name the config file after the command, as in lorikeet check vqa.yaml.',
  });
}

async function runProgram(file: string): Promise<unknown> {
  // Works before a build and after it, and wherever the config stands.
  const define = import.meta.url.endsWith('.ts') ? './define.ts' : './define.js';
  const jiti = createJiti(import.meta.url, {
    alias: { lorikeet: fileURLToPath(new URL(define, import.meta.url)) },
    moduleCache: false,
  });
  try {
    return await jiti.import(path.resolve(file), { default: true });
  } catch (cause) {
    const what = `could not be run: ${(cause as Error).message.replace(/\s+/g, ' ')}`;
    throw new LorikeetError('config', { file, what, fix: 'Its default export must be the config.', cause });
  }
}

export function readYaml(text: string, file: string): Source {
  const lines = new LineCounter();
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const refuse = (what: string, line?: number, cause?: unknown): never => {
    throw new LorikeetError('config', { file, line, what, fix: 'Correct the YAML there.', cause });
  };
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: '1.2',
      logLevel: 'error', // the library would write its warnings itself; those that matter are in `warnings`
    });
    const [trouble] = [...document.errors, ...document.warnings];
    if (trouble?.code === 'MULTIPLE_DOCS') {
      return refuse('expected one config, got several parted by ---', lineAt(trouble.pos[0]));
    }
    if (trouble) return refuse(`is not valid YAML: ${trouble.message}`, lineAt(trouble.pos[0]));
    const tree = plainTree(document.toJS({ maxAliasCount: aliasLimit }), file);
    const follow = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
    return {
      tree,
      lineOf: (words) => lineAt(offsetOf(document.contents, words, follow)),
    };
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    return refuse(`cannot be read as YAML: ${(cause as Error).message}`, undefined, cause);
  }
}

/** Where the last of `words` that is found stands. */
function offsetOf(root: unknown, words: TreePath, follow: (node: unknown) => unknown): number {
  let offset = (root as Node | null)?.range?.[0] ?? 0;
  let node = follow(root);
  for (const word of words) {
    if (isMap(node)) {
      const pair = (node.items as Pair[]).find(
        ({ key }) => String(isScalar(key) ? key.value : key) === String(word),
      );
      if (!pair) break;
      offset = (pair.key as Node | null)?.range?.[0] ?? offset;
      node = follow(pair.value);
    } else if (isSeq(node)) {
      const item = node.items[Number(word)];
      offset = (item as Node | undefined)?.range?.[0] ?? offset;
      node = follow(item);
    } else break;
  }
  return offset;
}

function plainTree(value: unknown, file?: string): Tree {
  const copy = plainCopy(value, file, '', 0);
  if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) return copy as Tree;
  const found = copy == null ? 'nothing' : Array.isArray(copy) ? 'a list' : typeof copy;
  throw new LorikeetError('config', {
    file,
    what: `expected words with values (model, data, output ...), got ${found}`,
    fix: 'The smallest config has three: model, data: { train } and output.',
  });
}

/** A copy without prototypes of another making; keys that could reach one are refused. */
function plainCopy(value: unknown, file: string | undefined, at: string, depth: number): unknown {
  if (depth > depthLimit) {
    throw new LorikeetError('config', { file, what: `${at} is nested deeper than ${depthLimit} levels` });
  }
  if (Array.isArray(value)) return value.map((item) => plainCopy(item, file, at, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    const [what, name] = [at.slice(0, -1) || 'the config', value.constructor.name];
    throw new LorikeetError('config', {
      file,
      what: `${what} expected a plain value, list or section, got a ${name}`,
      fix: 'Write it without a tag.',
    });
  }
  const copy: Tree = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
      throw new LorikeetError('config', { file, what: `the word ${key} is not allowed`, fix: 'Remove it.' });
    }
    if (inner !== undefined) copy[key] = plainCopy(inner, file, `${at}${key}.`, depth + 1);
  }
  return copy;
}
