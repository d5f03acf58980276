import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ContentPart, Example, Grid, Role } from '../../src/data/example.ts';
import { type ChatTokenizer, loadTokenizer } from '../../src/data/tokenizer.ts';

/** Tokenizers and conversations that the tests of this folder share. */

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export const tinyFolder = path('../fixtures/conversations/tiny');
export const realFolder = path('../../../shared/models/qwen2-vl');
export const hasReal = existsSync(realFolder);

const loaded = new Map<string, Promise<ChatTokenizer>>();

/** Loads a tokenizer once for each test file. */
export function tokenizerOf(folder: string): Promise<ChatTokenizer> {
  const known = loaded.get(folder) ?? loadTokenizer(folder);
  loaded.set(folder, known);
  return known;
}

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(path(`../fixtures/conversations/${name}`), 'utf8'));
}

export interface Case {
  turns: { role: Role; content: ('image' | { text: string })[] }[];
  counts: number[];
}

export function exampleOf({ turns }: Pick<Case, 'turns'>, row = 0): Example {
  return {
    row,
    turns: turns.map(({ role, content }) => ({
      role,
      content: content.map((part): ContentPart => {
        if (part === 'image') return { type: 'image', image: { path: 'unread.png' } };
        return { type: 'text', text: part.text };
      }),
    })),
  };
}

/** A grid that stands for `count` image tokens at a merge size of 2. */
export const gridOf = (count: number): Grid => [1, 2, 2 * count];
export const tokenCount = ([frames, rows, columns]: Grid) => (frames * rows * columns) / 4;

export function encodeOptions(tokenizer: ChatTokenizer, counts: number[]) {
  return {
    tokenizer,
    imageTokenId: tokenizer.specialId('<|image_pad|>'),
    grids: counts.map(gridOf),
    tokenCount,
  };
}
