/** The models of test/fixtures/generate/answers.json as folders on disk: see reference/parity/generate.py. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { Message } from '../../src/generate/request.ts';
import type { ParityModel, Stored } from '../support/parity.ts';
import { writeCase } from '../support/parity-model.ts';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

export interface ReferenceAnswer {
  ids: number[];
  text: string;
  finish: 'stop' | 'length';
}

export interface ReferenceModel extends ParityModel {
  adapterShapes: Record<string, number[]>;
  promptTokens: number[];
  base: ReferenceAnswer[];
  adapted: ReferenceAnswer[];
}

interface Reference {
  preprocessor: object;
  ends: number[];
  maxNewTokens: number;
  rows: Message[][];
  models: ReferenceModel[];
}

export const reference: Reference = JSON.parse(readFileSync(fixture('generate/answers.json'), 'utf8'));

export const picture = (name: string) => fixture(`images/${name}`);

/** The conversations with their pictures where they are. */
export const conversations: Message[][] = reference.rows.map((turns) =>
  turns.map(({ role, content }) => ({
    role,
    content:
      typeof content === 'string'
        ? content
        : content.map((part) =>
            part.type === 'text' ? part : { ...part, image: picture(String(part.image)) },
          ),
  })),
);

/** Model and adapter folder, removed when the file's tests are over. */
export async function answerModel(model: ReferenceModel): Promise<{ model: string; adapter: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-answer-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const like = Object.entries(model.adapterShapes).map(([key, shape]): [string, Stored] => [
    key,
    { shape, data: '' },
  ]);
  const { modelDir, adapterDir } = await writeCase(model, Object.fromEntries(like), folder);
  mkdirSync(modelDir, { recursive: true });
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(fixture(`conversations/tiny/${file}`), join(modelDir, file));
  const write = (file: string, value: object) => writeFileSync(join(modelDir, file), JSON.stringify(value));
  write('preprocessor_config.json', reference.preprocessor);
  write('generation_config.json', { eos_token_id: reference.ends });
  return { model: modelDir, adapter: adapterDir! };
}
