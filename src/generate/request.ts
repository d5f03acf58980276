/** What a caller asks, checked and brought into the form of a conversation. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ContentPart, Example, ImageReference, Turn } from '../data/example.ts';
import { isRecord, type JsonObject, named } from '../data/rows/own.ts';
import { LorikeetError, reasonOf } from '../errors.ts';
import type { SamplingOptions } from './sampling.ts';

/** A picture: a path, a `file:` or `data:` URL, or the bytes of a file. */
export type Picture = string | Uint8Array;

/** A turn of a conversation, as Hugging Face and OpenAI write it. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string | MessagePart[];
}

export type MessagePart = { type: 'text'; text: string } | { type: 'image'; image: Picture };

/** A question about pictures, or a conversation that ends with the user's turn. */
export type Question =
  | { question: string; image?: Picture; images?: Picture[]; system?: string }
  | { messages: Message[] };

export interface AnswerOptions extends SamplingOptions {
  /** An answer that has not ended by itself is cut here. Default 256. */
  maxNewTokens?: number;
}

export type AnswerRequest = Question & AnswerOptions;

export const defaultMaxNewTokens = 256;

/** Longest answer that may be asked for. */
const longest = 2 ** 20;

/**
 * The conversation a question stands for: pictures first, then the question, nothing between, as rows are trained.
 * Throws `config`, `data` and `image` errors.
 */
export function exampleOf(request: Question): Example {
  if (!isRecord(request)) throw noQuestion(request);
  return { row: 0, turns: 'messages' in request ? messageTurns(request.messages) : questionTurns(request) };
}

function questionTurns({
  question,
  image,
  images = [],
  system,
}: Exclude<Question, { messages: unknown }>): Turn[] {
  if (typeof question !== 'string' || question.trim() === '') throw noQuestion(question);
  if (!Array.isArray(images))
    throw new LorikeetError('config', {
      what: `images expected a list of pictures, got ${named(images)}`,
      fix: 'Write images: ["a.png", "b.png"], or image: "a.png" for one.',
    });
  if (system !== undefined && typeof system !== 'string')
    throw new LorikeetError('config', {
      what: `system expected a text, got ${named(system)}`,
      fix: "Leave it out for the template's own.",
    });
  const pictures = image === undefined ? images : [image, ...images];
  const user: Turn = {
    role: 'user',
    content: [
      ...pictures.map((picture) => ({ type: 'image' as const, image: pictureOf(picture) })),
      { type: 'text', text: question },
    ],
  };
  return system === undefined
    ? [user]
    : [{ role: 'system', content: [{ type: 'text', text: system }] }, user];
}

function noQuestion(got: unknown): LorikeetError {
  return new LorikeetError('config', {
    what: `a question expected, got ${got === '' ? 'an empty text' : named(got)}`,
    fix: 'Ask something: { question: "What is shown?", image: "picture.png" }.',
  });
}

function messageTurns(messages: unknown): Turn[] {
  if (Array.isArray(messages)) return messages.map(messageTurn);
  throw new LorikeetError('config', {
    what: `messages expected a list of turns, got ${named(messages)}`,
    fix: howToWrite,
  });
}

const howToWrite = 'Write turns as { role: "user", content: "..." } or with a list of text and image parts.';
const roles: readonly unknown[] = ['system', 'user', 'assistant'];

function messageTurn(message: unknown, index: number): Turn {
  const { role, content }: JsonObject = isRecord(message) ? message : {};
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  if (roles.includes(role) && Array.isArray(parts))
    return { role: role as Turn['role'], content: parts.map((part) => contentPart(part, index)) };
  throw new LorikeetError('config', {
    what: `turn ${index} expected a role of ${roles.join(', ')} and a content, got ${named(message)}`,
    fix: howToWrite,
  });
}

function contentPart(part: unknown, turn: number): ContentPart {
  const { type, text, image }: JsonObject = isRecord(part) ? part : {};
  if (type === 'text' && typeof text === 'string') return { type, text };
  if (type === 'image' && image !== undefined) return { type, image: pictureOf(image as Picture) };
  throw new LorikeetError('config', {
    what: `turn ${turn} expected text and image parts, got ${named(part)}`,
    fix: howToWrite,
  });
}

function pictureOf(picture: Picture): ImageReference {
  if (picture instanceof Uint8Array) {
    // The bytes say which format it is; the URL's type is not looked at.
    return { dataUrl: `data:image/png;base64,${Buffer.from(picture).toString('base64')}` };
  }
  if (typeof picture !== 'string')
    throw new LorikeetError('image', {
      what: `a picture expected as a path, the text of a file: or data: URL or the bytes of a file, got ${named(picture)}`,
      fix: 'Leave image out for a question without one.',
    });
  const text = picture;
  if (/^data:/i.test(text)) return { dataUrl: text };
  if (/^https?:/i.test(text))
    throw new LorikeetError('image', {
      what: `a picture on this machine expected, got ${text.slice(0, 200)}`,
      fix: 'Download it and name the file: nothing is fetched from a network.',
    });
  const path = /^file:/i.test(text) ? pathOf(text) : resolve(text);
  if (existsSync(path)) return { path };
  throw new LorikeetError('image', {
    file: path,
    what: 'a picture expected here, got no such file',
    fix: 'Check the name; paths are relative to the working directory.',
  });
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new LorikeetError('image', {
      what: `a file: URL of this machine expected, got ${url.slice(0, 200)}: ${reasonOf(cause)}`,
      fix: 'Write file:///folder/picture.png, or the path itself.',
      cause,
    });
  }
}

/** Throws a `config` error for a number that cannot be meant. */
export function checkAnswerOptions(options: AnswerOptions): void {
  const { maxNewTokens, temperature, topK, topP, seed } = options;
  const whole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  check('maxNewTokens', maxNewTokens, `a whole number from 1 to ${longest}`, (n) => whole(n, 1, longest));
  check('temperature', temperature, 'a number from 0 to 100', (n) => n >= 0 && n <= 100);
  check('topK', topK, 'a whole number above 0', (n) => whole(n, 1, Number.MAX_SAFE_INTEGER));
  check('topP', topP, 'a number above 0 and at most 1', (n) => n > 0 && n <= 1);
  check('seed', seed, 'a whole number from 0 to 4294967295', (n) => whole(n, 0, 2 ** 32 - 1));
}

function check(name: string, value: unknown, expected: string, holds: (value: number) => boolean): void {
  if (value === undefined || (typeof value === 'number' && holds(value))) return;
  throw new LorikeetError('config', {
    what: `${name} expected ${expected}, got ${typeof value === 'number' ? value : named(value)}`,
    fix: 'Leave it out for the default.',
  });
}
