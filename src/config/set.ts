/** `--set key=value`: words on the command line that go before those in the file. */
import { isCollection, parseDocument } from 'yaml';
import { LorikeetError } from '../errors.ts';
import type { Tree } from './source.ts';

export interface Setting {
  /** As it was typed: `train.epochs=1`. */
  typed: string;
  words: string[];
  value: unknown;
}

/** Reads `key=value`; the value is YAML, so `3`, `true`, `[q_proj, v_proj]` and `~` mean what they mean there. */
export function parseSetting(typed: string): Setting {
  const split = typed.indexOf('=');
  const key = typed.slice(0, Math.max(0, split)).trim();
  if (!/^\w+(\.\w+)*$/.test(key) || key.split('.').includes('__proto__')) {
    throw new LorikeetError('config', {
      what: `--set expected key=value, got ${JSON.stringify(typed)}`,
      fix: 'For instance --set train.epochs=1.',
    });
  }
  return { typed, words: key.split('.'), value: parseValue(typed.slice(split + 1).trim()) };
}

function parseValue(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, version: '1.2' });
  const isText = !/^[[{"']/.test(text);
  // "Answer: yes or no" is a sentence, not a section.
  if (isText && (document.errors.length > 0 || isCollection(document.contents))) return text;
  const [trouble] = document.errors;
  if (trouble) {
    const what = `--set value is not valid YAML: ${trouble.message}`;
    throw new LorikeetError('config', {
      what,
      fix: 'Quote it for the shell, for instance \'key=["a", "b"]\'.',
    });
  }
  return document.toJS({ maxAliasCount: 0 });
}

/** Puts the settings into the tree, in their order. `null` takes a word of the file out, so that its default holds. */
export function applySettings(tree: Tree, settings: readonly Setting[]): void {
  for (const { typed, words, value } of settings) {
    let section = tree;
    for (const word of words.slice(0, -1)) {
      const inner = Object.hasOwn(section, word) ? section[word] : undefined;
      if (inner != null && (typeof inner !== 'object' || Array.isArray(inner))) {
        const what = `--set ${typed}: ${word} is not a section, so nothing can stand in it`;
        throw new LorikeetError('config', { what, fix: `Set ${word} itself.` });
      }
      section = (inner ?? insert(section, word)) as Tree;
    }
    const last = words[words.length - 1];
    if (value === null) delete section[last];
    else section[last] = value;
  }
}

function insert(section: Tree, word: string): Tree {
  const inner: Tree = {};
  section[word] = inner;
  return inner;
}
