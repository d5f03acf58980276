import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { holdsMoreValues, readJsonObject } from '../formats/json.ts';
import { isRecord, type JsonObject, own } from './rows/own.ts';

/** What the files of a tokenizer say, checked but not yet built. */
export interface TokenizerFiles {
  folder: string;
  /** Path of tokenizer.json. */
  file: string;
  tokenizer: JsonObject;
  addedTokens: AddedToken[];
  /** `eos_token`, `pad_token`, `bos_token` ... as far as the config names them. */
  namedTokens: Map<string, string>;
  /** Tokens that the config lists as special without a name. */
  listedTokens: string[];
  template: { source: string; file: string };
}

export interface AddedToken {
  content: string;
  id: number;
  special: boolean;
  /** The entry as it stands in tokenizer.json. */
  json: object;
}

const maxBytes = 256 * 2 ** 20;
/** A vocabulary of 256,000 words with its merges has three million. */
const maxValues = 8_000_000;
/** Vocabularies are held in lists as long as their greatest id. */
const mostIds = 2 ** 24;

export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const file = join(folder, 'tokenizer.json');
  const configFile = join(folder, 'tokenizer_config.json');
  if (!existsSync(file)) throw noTokenizer(folder, file);
  const tokenizer = await readVocabulary(file);
  const model = own(tokenizer, 'model');
  if (!isRecord(model)) throw wrong(file, '"model" expected an object with a vocabulary');
  checkIds(file, own(model, 'vocab'));
  const config = existsSync(configFile) ? await readJsonObject(configFile, 'tokenizer') : {};
  const addedTokens = readAddedTokens(file, tokenizer, configFile, config);
  return {
    folder,
    file,
    tokenizer,
    addedTokens,
    ...(await specialTokens(folder, config)),
    template: await findTemplate(folder, configFile, config),
  };
}

function noTokenizer(folder: string, file: string): LorikeetError {
  const slow = existsSync(join(folder, 'vocab.json')) && existsSync(join(folder, 'merges.txt'));
  return new LorikeetError('tokenizer', {
    file,
    what: slow
      ? 'tokenizer.json expected, got only vocab.json and merges.txt'
      : 'tokenizer.json expected, got no such file',
    fix: slow
      ? 'Save the tokenizer once with transformers (AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)), or take the published tokenizer.json.'
      : 'Point `model` at a folder in Hugging Face layout, with its tokenizer files.',
  });
}

/** Of words by their ids; a list of them is numbered as it stands. */
function checkIds(file: string, vocabulary: unknown): void {
  if (!isRecord(vocabulary)) return;
  for (const [word, id] of Object.entries(vocabulary)) {
    if (isTokenId(id)) continue;
    const found = `${JSON.stringify(id)?.slice(0, 40)} for ${JSON.stringify(word.slice(0, 40))}`;
    throw wrong(file, `whole ids from 0 to ${mostIds - 1} expected in the vocabulary, got ${found}`);
  }
}

/** tokenizer.json is large and holds no names that matter, so JSON.parse reads it: ten times as fast. */
async function readVocabulary(file: string): Promise<JsonObject> {
  const text = await readText(file);
  if (holdsMoreValues(Buffer.from(text), maxValues))
    throw wrong(file, `at most ${maxValues} values expected, got more`);
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (cause) {
    throw wrong(file, `JSON expected, got ${cause instanceof Error ? cause.message : cause}`);
  }
  throw wrong(file, 'a JSON object expected');
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw wrong(file, `at most ${maxBytes} bytes expected, got ${size}`);
    return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    throw wrong(file, `could not be read: ${(cause as Error).message}`);
  }
}

function wrong(file: string, what: string): LorikeetError {
  return new LorikeetError('tokenizer', {
    file,
    what,
    fix: 'Take the file again from where the checkpoint was published.',
  });
}

/** The union of `added_tokens` (tokenizer.json) and `added_tokens_decoder` (tokenizer_config.json): older files split them. */
function readAddedTokens(
  file: string,
  tokenizer: JsonObject,
  configFile: string,
  config: JsonObject,
): AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  const add = (source: string, json: unknown, id: unknown) => {
    const token = addedToken(source, json, id);
    const known = tokens.get(token.content);
    if (known && known.id !== token.id) {
      throw wrong(source, `token ${token.content} expected id ${known.id} as in ${file}, got ${token.id}`);
    }
    if (!known) tokens.set(token.content, token);
    else known.special ||= token.special;
  };
  const list = own(tokenizer, 'added_tokens') ?? [];
  if (!Array.isArray(list)) throw wrong(file, '"added_tokens" expected a list');
  for (const entry of list) add(file, entry, isRecord(entry) ? own(entry, 'id') : undefined);
  const decoder = own(config, 'added_tokens_decoder');
  if (isRecord(decoder))
    for (const [id, entry] of Object.entries(decoder)) add(configFile, entry, Number(id));
  return [...tokens.values()];
}

function addedToken(file: string, json: unknown, id: unknown): AddedToken {
  const content = isRecord(json) ? own(json, 'content') : undefined;
  if (!isRecord(json) || typeof content !== 'string' || content === '' || !isTokenId(id)) {
    throw wrong(
      file,
      `an added token expected its content and its id, got ${JSON.stringify(json)?.slice(0, 200)}`,
    );
  }
  const special = own(json, 'special') === true;
  return { content, id, special, json: { ...json, id } };
}

function isTokenId(id: unknown): id is number {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < mostIds;
}

/** Names come from tokenizer_config.json, and from special_tokens_map.json where that says nothing. */
async function specialTokens(folder: string, config: JsonObject) {
  const mapFile = join(folder, 'special_tokens_map.json');
  const map = existsSync(mapFile) ? await readJsonObject(mapFile, 'tokenizer') : {};
  const namedTokens = new Map<string, string>();
  for (const source of [map, config]) {
    for (const [name, value] of Object.entries(source)) {
      const token = /_token$/.test(name) ? spelling(value) : undefined;
      if (token !== undefined) namedTokens.set(name, token);
    }
  }
  const listed = [own(config, 'additional_special_tokens'), own(config, 'extra_special_tokens')];
  const listedTokens = listed.flatMap((list) =>
    (isRecord(list) ? Object.values(list) : Array.isArray(list) ? list : []).flatMap(
      (token) => spelling(token) ?? [],
    ),
  );
  return { namedTokens, listedTokens };
}

function spelling(token: unknown): string | undefined {
  const text = isRecord(token) ? own(token, 'content') : token;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

async function findTemplate(folder: string, configFile: string, config: JsonObject) {
  const jinja = join(folder, 'chat_template.jinja');
  if (existsSync(jinja)) return { source: await readText(jinja), file: jinja };
  const json = join(folder, 'chat_template.json');
  if (existsSync(json)) {
    const source = templateText(own(await readJsonObject(json, 'tokenizer'), 'chat_template'));
    if (source !== undefined) return { source, file: json };
  }
  const source = templateText(own(config, 'chat_template'));
  if (source !== undefined) return { source, file: configFile };
  throw new LorikeetError('tokenizer', {
    file: folder,
    what: 'a chat template expected in chat_template.jinja, chat_template.json or tokenizer_config.json, got none',
    fix: 'Take a checkpoint that was trained for conversations (its name often ends in -Instruct), with all its files.',
  });
}

/** A template, or the one named `default` of a list of named ones. */
function templateText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const named = Array.isArray(value)
    ? value.find((entry) => isRecord(entry) && own(entry, 'name') === 'default')
    : isRecord(value) && { template: own(value, 'default') };
  const text = isRecord(named) ? own(named, 'template') : undefined;
  return typeof text === 'string' ? text : undefined;
}
