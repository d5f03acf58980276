import { Tokenizer } from '@huggingface/tokenizers';
import { LorikeetError, reasonOf } from '../errors.ts';
import { depthLimit } from '../formats/json.ts';
import { withinSeconds } from './bounded-time.ts';
import { remember } from './remember.ts';
import { type ChatTemplate, compileTemplate } from './template.ts';
import { growthOf } from './text-growth.ts';
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts';

/**
 * A checkpoint's tokenizer and chat template. Special tokens are no part of the text: `encodeText` never makes
 * one, whatever the text says; they come from `specialId` and from the template's own text (`splitSpecial`).
 */
export interface ChatTokenizer {
  /** The folder it was read from. */
  readonly folder: string;
  /** Ids of a text as text: `<|im_end|>` in it becomes the letters it is made of. */
  encodeText(text: string): number[];
  /** Cuts a template's own text at its special tokens: ids where one stands, the text between them as it is. */
  splitSpecial(text: string): (number | string)[];
  /** @throws LorikeetError 'tokenizer' where the tokenizer has no such token. */
  specialId(token: string): number;
  /** Tokens that no user text can become, by their spelling. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** Text of ids, byte for byte; special tokens as they are spelled, or left out. */
  decode(ids: Iterable<number>, options?: { skipSpecial?: boolean }): string;
  /** The token that ends a turn, as the tokenizer's config names it. */
  readonly eosToken: string | undefined;
  /** The token that fills batches, as the tokenizer's config names it. */
  readonly padToken: string | undefined;
  /** Greatest id + 1. A checkpoint's embedding may have more rows. */
  readonly vocabularySize: number;
  readonly template: ChatTemplate;
}

/**
 * Reads `tokenizer.json`, `tokenizer_config.json` and the chat template (`chat_template.jinja`,
 * `chat_template.json` or `tokenizer_config.json`, in this order) of a folder in Hugging Face layout.
 *
 * @throws LorikeetError 'tokenizer' naming the file that is missing or wrong.
 */
export async function loadTokenizer(folder: string): Promise<ChatTokenizer> {
  return buildTokenizer(await readTokenizerFiles(folder));
}

function buildTokenizer(files: TokenizerFiles): ChatTokenizer {
  const { special, plain } = sortAddedTokens(files);
  const text = textTokenizer(files, plain);
  const spellings = new Map([...special].map(([token, id]) => [id, token]));
  const isForeign = hasForeignPatterns(files);
  const bounded = <T>(work: () => T) =>
    told(files, () => (isForeign ? withinSeconds(maxSeconds, work) : work()));
  const growth = growthOf(files.tokenizer.normalizer) * growthOf(files.tokenizer.pre_tokenizer);
  const encode = remember((value) => {
    checkGrowth(files, value, growth);
    return bounded(() => encodeText(text, value, spellings));
  });
  return {
    folder: files.folder,
    encodeText: (value) => encode(value).slice(),
    splitSpecial: splitterOf(special),
    specialId: (token) => special.get(token) ?? missingToken(files, token),
    specialTokens: special,
    decode: (ids, options = {}) => bounded(() => decode(text, ids, spellings, options.skipSpecial ?? false)),
    eosToken: files.namedTokens.get('eos_token'),
    padToken: files.namedTokens.get('pad_token'),
    vocabularySize: vocabularySize(text, special),
    template: compileTemplate(
      files.template.source,
      files.template.file,
      Object.fromEntries(files.namedTokens),
    ),
  };
}

/**
 * Added words that are marked special, that the config names as special or that the template writes belong to the
 * template. Other added words (a domain's own vocabulary) stay words of a text, as transformers reads them.
 */
function sortAddedTokens(files: TokenizerFiles) {
  const named = new Set([...files.namedTokens.values(), ...files.listedTokens]);
  const special = new Map<string, number>();
  const plain: object[] = [];
  for (const token of files.addedTokens) {
    const isTemplates =
      token.special || named.has(token.content) || files.template.source.includes(token.content);
    if (isTemplates) special.set(token.content, token.id);
    else plain.push(token.json);
  }
  return { special, plain };
}

function textTokenizer(files: TokenizerFiles, addedTokens: object[]): Tokenizer {
  const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    const json = { ...absent, ...files.tokenizer, added_tokens: addedTokens };
    return withinSeconds(maxSeconds, () => new Tokenizer(json, {}));
  } catch (cause) {
    throw new LorikeetError('tokenizer', {
      file: files.file,
      what: `the tokenizer cannot be built: ${reasonOf(cause)}`,
      fix: 'Take the tokenizer.json that was published with the checkpoint.',
      cause,
    });
  }
}

/** How Qwen2 parts words: known to end soon whatever the text is. */
const knownPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** To build a tokenizer, and for a text or some ids: a thousand times what it takes. */
const maxSeconds = 30;

/** Of a text on its way to tokens: eight times the longest row. */
const mostCharacters = 2 ** 25;

function checkGrowth({ file }: TokenizerFiles, { length }: string, growth: number): void {
  if (length * growth <= mostCharacters) return;
  throw new LorikeetError('tokenizer', {
    file,
    what: `a text expected to stay within ${mostCharacters} characters on its way to tokens, got one of ${length} that may become ${growth.toPrecision(2)} times as long`,
    fix: 'Take the tokenizer.json that was published with the checkpoint, or cut the text.',
  });
}

/** Whether the files bring regular expressions of their own, which may take for ever on some text. */
function hasForeignPatterns({ tokenizer }: TokenizerFiles): boolean {
  const isKnown = (value: unknown, depth = 0): boolean => {
    if (typeof value !== 'object' || value === null) return true;
    return (
      depth < depthLimit &&
      Object.entries(value).every(([key, inner]) =>
        key === 'Regex' ? inner === knownPattern : isKnown(inner, depth + 1),
      )
    );
  };
  return ![tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder].every((part) => isKnown(part));
}

/** What is wrong in the files may show no sooner than with the first text. */
function told<T>({ file }: TokenizerFiles, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    throw new LorikeetError('tokenizer', {
      file,
      what: `a text expected to become tokens and tokens text, got this: ${reasonOf(cause)}`,
      fix: 'Take the tokenizer.json that was published with the checkpoint.',
      cause,
    });
  }
}

function encodeText(tokenizer: Tokenizer, text: string, spellings: ReadonlyMap<number, string>): number[] {
  if (text === '') return [];
  const { ids } = tokenizer.encode(text, { add_special_tokens: false });
  for (const id of ids) {
    if (id === undefined || spellings.has(id)) throw unsafe(text, id, spellings); // a vocabulary that spells special tokens itself
  }
  return ids;
}

function unsafe(text: string, id: number | undefined, spellings: ReadonlyMap<number, string>): LorikeetError {
  const sample = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
  const found =
    id === undefined ? 'characters the vocabulary lacks' : `the special token ${spellings.get(id)}`;
  return new LorikeetError('tokenizer', {
    what: `the text ${sample} expected to become plain tokens, got ${found}`,
    fix: 'Change the text: this tokenizer cannot write it without mistaking it for something else.',
  });
}

function splitterOf(special: ReadonlyMap<string, number>): (text: string) => (number | string)[] {
  if (special.size === 0) return (text) => (text === '' ? [] : [text]);
  const longestFirst = [...special.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(
    `(${longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')})`,
  );
  return (text) =>
    text
      .split(pattern)
      .map((piece, i) => (i % 2 === 1 ? special.get(piece)! : piece))
      .filter((piece) => piece !== '');
}

function missingToken(files: TokenizerFiles, token: string): never {
  const known = files.addedTokens.map(({ content }) => content);
  throw new LorikeetError('tokenizer', {
    file: files.file,
    what: `special token ${token} expected, got only ${known.length > 0 ? known.join(' ') : 'none at all'}`,
    fix: 'Take the tokenizer files and the config.json of the same checkpoint.',
  });
}

function decode(
  tokenizer: Tokenizer,
  ids: Iterable<number>,
  spellings: ReadonlyMap<number, string>,
  skipSpecial: boolean,
): string {
  const pieces: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length > 0) pieces.push(tokenizer.decode(run, { clean_up_tokenization_spaces: false }));
    run = [];
  };
  for (const id of ids) {
    const token = spellings.get(id);
    if (token === undefined) {
      if (tokenizer.id_to_token(id) !== undefined) run.push(id); // a row of the embedding that stands for no token has no text
    } else if (!skipSpecial) {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces.join('');
}

function vocabularySize(tokenizer: Tokenizer, special: ReadonlyMap<string, number>): number {
  let greatest = -1;
  for (const id of tokenizer.get_vocab().values()) if (id > greatest) greatest = id;
  for (const id of special.values()) if (id > greatest) greatest = id;
  return greatest + 1;
}
