import { LorikeetError } from '../errors.ts';
import { checkConversation, checkPrompt } from './conversation.ts';
import {
  type Encoded,
  type Example,
  type Grid,
  isLabel,
  type TokenKind,
  type Turn,
  tokenKinds,
} from './example.ts';
import { imagesOf } from './example-images.ts';
import { withPlace } from './place.ts';
import { type Segment, segmentsOf } from './segments.ts';
import type { RenderOptions } from './template.ts';
import type { ChatTokenizer } from './tokenizer.ts';

/** From a conversation to token ids, and for every token the reason why it is or is not a label. */

export interface EncodeOptions {
  tokenizer: ChatTokenizer;
  /** The token an image's place is filled with, from the model's config. */
  imageTokenId: number;
  /** One grid for each image of the conversation, in its order. */
  grids: readonly Grid[];
  /** How many image tokens a grid stands for. */
  tokenCount: (grid: Grid) => number;
  /** T at most. Longer rows lose their end, never an image token. */
  maxLength?: number;
}

/**
 * Token ids and kinds of a conversation, T tokens.
 *
 * Special tokens come only from the template's own text. A run of text between two of them (`user\n` and the
 * question) is tokenised as one piece, because the pre-tokeniser may join a line break with what follows it; an
 * answer is tokenised apart from its header, as the model meets it at inference, where the prompt ends there.
 * Labels are the answers, the special token that ends each, and white space after that.
 *
 * @throws LorikeetError 'data' with the row and the counts: no label token, images and image tokens that do not
 *   agree, or a row too long to be cut; 'tokenizer' where the template does not end an answer.
 */
export function encodeExample(example: Example, options: EncodeOptions): Encoded {
  checkTurns(example, checkConversation);
  const { ids, kinds, images } = tokensOf(example, options);
  const length = checkedLength(example, ids, kinds, options);
  return {
    row: example.row,
    ids: Int32Array.from(ids.slice(0, length)),
    kinds: Uint8Array.from(kinds.slice(0, length)),
    grids: [...options.grids],
    images,
    cut: ids.length - length,
  };
}

/**
 * A conversation that waits for its answer: it ends with the header of the assistant's turn, and its ids are those
 * with which the same conversation with its answer would begin. Nothing is cut.
 *
 * @throws LorikeetError as `encodeExample` does, 'data' too where the last turn is not the user's.
 */
export function encodePrompt(example: Example, options: Omit<EncodeOptions, 'maxLength'>): Encoded {
  checkTurns(example, checkPrompt);
  const { ids, kinds, images } = tokensOf(example, options, { addGenerationPrompt: true });
  return {
    row: example.row,
    ids: Int32Array.from(ids),
    kinds: Uint8Array.from(kinds),
    grids: [...options.grids],
    images,
  };
}

function tokensOf(example: Example, options: EncodeOptions, rendering: RenderOptions = {}) {
  const { tokenizer } = options;
  const images = imagesOf(example);
  checkGrids(example, images.length, options);
  const segments = segmentsOf(example, tokenizer.template, rendering);
  const writer = new TokenWriter(example, options);
  for (const piece of piecesOf(example, segments, tokenizer)) writer.add(piece);
  const { ids, kinds, imageCount } = writer.finish();
  if (imageCount !== images.length) throw imageMismatch(example, imageCount, images.length);
  return { ids, kinds, images };
}

type Piece = { special: number } | { text: string; kind: TokenKind };

function checkTurns(example: Example, check: (turns: readonly Turn[]) => void): void {
  try {
    check(example.turns);
  } catch (error) {
    throw withPlace(error, { row: example.row });
  }
}

function checkGrids(
  example: Example,
  images: number,
  { grids, imageTokenId, tokenizer }: EncodeOptions,
): void {
  if (grids.length !== images) {
    throw new LorikeetError('data', {
      row: example.row,
      what: `grids expected one for each of ${images} images, got ${grids.length}`,
    });
  }
  if (images === 0 || [...tokenizer.specialTokens.values()].includes(imageTokenId)) return;
  throw new LorikeetError('tokenizer', {
    file: tokenizer.folder,
    what: `image token ${imageTokenId} of the config expected among the special tokens, got ${[...tokenizer.specialTokens.values()].join(', ') || 'none'}`,
    fix: 'Take the tokenizer files and the config.json of the same checkpoint.',
  });
}

function piecesOf(example: Example, segments: Segment[], tokenizer: ChatTokenizer): Piece[] {
  const hasSystem = example.turns.some(({ role }) => role === 'system');
  return segments.flatMap((segment): Piece[] => {
    if (segment.by === 'turn') {
      const { role } = example.turns[segment.turn];
      return [{ text: segment.text, kind: role === 'assistant' ? 'answer' : role }];
    }
    return tokenizer.splitSpecial(segment.text).flatMap((piece): Piece[] => {
      if (typeof piece === 'number') return [{ special: piece }];
      return hasSystem ? [{ text: piece, kind: 'header' }] : defaultSystem(piece);
    });
  });
}

/** A system text that the template brings along is told apart from its header. */
function defaultSystem(text: string): Piece[] {
  const header = /^system\s*\n/.exec(text)?.[0];
  if (header === undefined || header === text) return [{ text, kind: 'header' }];
  return [
    { text: header, kind: 'header' },
    { text: text.slice(header.length), kind: 'system' },
  ];
}

type TextPiece = { text: string; kind: TokenKind };

/** Collects ids and kinds; knows whether an answer has begun, waits for its end, or has just ended. */
class TokenWriter {
  readonly #ids: number[] = [];
  readonly #kinds: number[] = [];
  readonly #example: Example;
  readonly #options: EncodeOptions;
  #run: TextPiece[] = [];
  #answer: 'none' | 'open' | 'ended' = 'none';
  #images = 0;

  constructor(example: Example, options: EncodeOptions) {
    this.#example = example;
    this.#options = options;
  }

  add(piece: Piece): void {
    if ('special' in piece) {
      this.#flush();
      this.#special(piece.special);
    } else if (piece.kind === 'answer') {
      this.#flush();
      this.#push(this.#options.tokenizer.encodeText(piece.text), 'answer');
      this.#answer = 'open';
    } else {
      this.#run.push(piece);
    }
  }

  finish() {
    this.#flush();
    if (this.#answer === 'open') throw unendedAnswer(this.#example, this.#options.tokenizer);
    return { ids: this.#ids, kinds: this.#kinds, imageCount: this.#images };
  }

  #special(id: number): void {
    if (id === this.#options.imageTokenId) {
      const grid = this.#options.grids[this.#images++];
      const count = grid === undefined ? 0 : this.#options.tokenCount(grid);
      if (this.#ids.length + count > mostTokens) throw tooManyTokens(this.#example, count);
      for (let i = 0; i < count; i++) this.#push([id], 'image');
    } else if (this.#answer === 'open') {
      this.#push([id], 'end');
      this.#answer = 'ended';
    } else {
      this.#push([id], 'header');
      this.#answer = 'none';
    }
  }

  /** Writes the text since the last special token or answer. */
  #flush(): void {
    const run = this.#run;
    this.#run = [];
    if (run.length === 0) return;
    const text = run.map((piece) => piece.text).join('');
    const isEnd = this.#answer === 'open' || (this.#answer === 'ended' && text.trim() === '');
    this.#pushRun(isEnd ? [{ text, kind: 'end' }] : run);
    if (this.#answer === 'ended') this.#answer = 'none';
  }

  /** One tokenisation of the whole run; a token that two pieces share counts to the later one. */
  #pushRun(run: TextPiece[]): void {
    const { tokenizer } = this.#options;
    const ids = tokenizer.encodeText(run.map((piece) => piece.text).join(''));
    let written = 0;
    let text = '';
    run.forEach((piece, i) => {
      text += piece.text;
      const upTo = i === run.length - 1 ? ids.length : sharedPrefix(ids, tokenizer.encodeText(text));
      this.#push(ids.slice(written, upTo), piece.kind);
      written = Math.max(written, upTo);
    });
  }

  #push(ids: number[], kind: TokenKind): void {
    const index = tokenKinds.indexOf(kind);
    for (const id of ids) {
      this.#ids.push(id);
      this.#kinds.push(index);
    }
  }
}

/** Longer than any model reads; a picture cut into single pixels must not fill the memory before it is refused. */
const mostTokens = 2 ** 20;

function tooManyTokens({ row }: Example, count: number): LorikeetError {
  return new LorikeetError('data', {
    row,
    what: `at most ${mostTokens} tokens expected, got one picture of ${count}`,
    fix: 'Lower image.maxPixels.',
  });
}

function sharedPrefix(a: number[], b: number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function unendedAnswer(example: Example, tokenizer: ChatTokenizer): LorikeetError {
  return new LorikeetError('tokenizer', {
    file: tokenizer.template.file,
    row: example.row,
    what: 'the chat template expected to end an answer with a special token, got none: a model would never learn to stop',
    fix: 'Use the template that was published with the checkpoint.',
  });
}

function imageMismatch(example: Example, written: number, images: number): LorikeetError {
  return new LorikeetError('data', {
    row: example.row,
    what: `the chat template expected to write one image token for each of ${images} images, got ${written}`,
    fix: 'Use the chat template of a vision-language checkpoint.',
  });
}

/** T after cutting to `maxLength`, where that leaves every image token and at least one label. */
function checkedLength(example: Example, ids: number[], kinds: number[], options: EncodeOptions): number {
  const { maxLength = Number.POSITIVE_INFINITY, imageTokenId } = options;
  const length = Math.min(ids.length, maxLength);
  const images = kinds.filter((kind) => tokenKinds[kind] === 'image').length;
  const labels = kinds.filter(isLabel).length;
  const counts = `${ids.length} tokens (${images} image, ${labels} label)`;
  if (labels === 0) {
    throw new LorikeetError('data', {
      row: example.row,
      what: `at least one label token expected, got ${counts}`,
      fix: 'Give the row an answer: only what the assistant says is trained.',
    });
  }
  if (length === ids.length) return length;
  const cutsImages = images > 0 && ids.lastIndexOf(imageTokenId) >= length;
  if (!cutsImages && kinds.slice(0, length).some(isLabel)) return length;
  throw new LorikeetError('data', {
    row: example.row,
    what: `at most maxLength ${maxLength} tokens expected, got ${counts}: cutting would remove ${cutsImages ? 'image tokens' : 'every label'}`,
    fix: 'Raise data.maxLength, lower image.maxPixels, or skip such rows with data.onBadRow: skip.',
  });
}
