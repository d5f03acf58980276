import { createInterface } from 'node:readline';
import type { Chat, Model } from '../generate/model.ts';
import type { AnswerOptions } from '../generate/request.ts';
import { showAnswer } from './answer.ts';
import { describeFailure } from './failure.ts';
import type { Stop } from './signals.ts';

export interface ConversationOptions {
  /** Asked first, where there is one. */
  question?: string;
  /** Stand before the first turn. */
  images: string[];
  system?: string;
  how: AnswerOptions;
  stop: Stop;
}

const help =
  'An empty line or Ctrl-D ends. /image FILE puts a picture before your next words, /reset begins again.';

/** A conversation, a line for a turn. Ctrl-C stops an answer; where none is given it ends the conversation. */
export async function converse(
  model: Model,
  { question, images, system, how, stop }: ConversationOptions,
): Promise<number> {
  const chat = model.chat({ system });
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  // From here on, so that what comes during the first answer is kept: a closed interface gives no lines and no end.
  const typed = lines[Symbol.asyncIterator]();
  const talk = new Talk(chat, how, [...images], stop.signal);
  // A terminal in raw mode hands Ctrl-C to readline, not to the process.
  lines.on('SIGINT', () => (talk.isAnswering ? talk.stopAnswer() : lines.close()));
  stop.signal.addEventListener('abort', () => lines.close());
  const ask = () => {
    if (process.stdin.isTTY && !stop.signal.aborted) lines.prompt();
  };
  if (process.stdin.isTTY) process.stderr.write(`${help}\n`);
  if (question !== undefined) await talk.take(question);
  ask();
  for await (const line of typed) {
    if (line.trim() === '') break;
    await talk.take(line);
    if (stop.signal.aborted) break;
    ask();
  }
  lines.close();
  return stop.exitCode();
}

class Talk {
  readonly #chat: Chat;
  readonly #how: AnswerOptions;
  readonly #end: AbortSignal;
  #images: string[];
  #current?: AbortController;

  constructor(chat: Chat, how: AnswerOptions, images: string[], end: AbortSignal) {
    this.#chat = chat;
    this.#how = how;
    this.#images = images;
    this.#end = end;
  }

  get isAnswering(): boolean {
    return this.#current !== undefined;
  }

  stopAnswer(): void {
    this.#current?.abort();
  }

  /** A turn or a command. What goes wrong is told, and the conversation goes on. */
  async take(line: string): Promise<void> {
    const [, command, rest = ''] = /^\/(\w+)\s*(.*)$/.exec(line.trim()) ?? [];
    if (command === undefined) return this.#say(line.trim());
    if (command === 'image' && rest !== '') this.#images.push(rest);
    else if (command === 'reset') {
      this.#chat.reset();
      this.#images = [];
    } else process.stderr.write(`${help}\n`);
  }

  async #say(text: string): Promise<void> {
    this.#current = new AbortController();
    const signal = AbortSignal.any([this.#current.signal, this.#end]);
    try {
      const turn = { text, images: this.#images };
      await showAnswer((hooks) => this.#chat.stream(turn, { ...this.#how, ...hooks }), signal);
      this.#images = [];
    } catch (error) {
      // A picture that cannot be read is not tried again with the next words.
      this.#images = [];
      process.stderr.write(describeFailure(error, Boolean(process.env.LORIKEET_DEBUG)));
    } finally {
      this.#current = undefined;
    }
  }
}
