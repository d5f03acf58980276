/** A model that answers, in a thread of its own: what `lorikeet ask` does, for programs. */
import { type AnswerStream, answerStream } from './answer-stream.ts';
import type { ModelFacts, Pictures } from './calls.ts';
import type { Answer, EngineOptions } from './engine.ts';
import { type CallHooks, ModelThread } from './model-thread.ts';
import type { AnswerOptions, AnswerRequest, Message, Picture } from './request.ts';

export type LoadOptions = EngineOptions;

/** How a call is watched and stopped. */
export interface CallOptions {
  /** Ends the answer after the token that is being computed; it then has `finish: 'aborted'`. */
  signal?: AbortSignal;
  /** Once the prompt is tokens, before the model reads it. */
  onPrompt?: (facts: { tokens: number; pictures: number }) => void;
  /** Something about the pictures that are kept (`cache`) which a person should know. */
  onNotice?: (text: string) => void;
}

export interface Model {
  readonly facts: ModelFacts;
  /** The answer to a question about pictures, or to a conversation. */
  generate(request: AnswerRequest, options?: CallOptions): Promise<Answer>;
  /** Answers to many questions, in their order. Those about the same pictures share their reading. */
  generateAll(requests: readonly AnswerRequest[], options?: CallOptions): Promise<Answer[]>;
  /** The answer as it comes. */
  stream(request: AnswerRequest, options?: CallOptions): AnswerStream;
  /** Reads pictures once, for any number of questions about them. */
  about(pictures: Pictures): Promise<About>;
  /** A conversation that remembers: each turn reads its own words alone. */
  chat(options?: { system?: string }): Chat;
  /** Answers with this adapter from now on, undefined for the base alone. The base is not loaded again. */
  useAdapter(dir: string | undefined): Promise<void>;
  /** Ends the thread. What it was about and its conversations end with it. */
  close(): Promise<void>;
}

/** Pictures that were read. Every answer is the one that `generate` gives. */
export interface About {
  /** How many tokens every question shares. */
  readonly sharedTokens: number;
  ask(question: string, options?: AnswerOptions & CallOptions): Promise<Answer>;
  /** Answers that are decoded together. */
  askAll(questions: readonly string[], options?: AnswerOptions & CallOptions): Promise<Answer[]>;
  stream(question: string, options?: AnswerOptions & CallOptions): AnswerStream;
  /** Lets go of what was read. */
  close(): Promise<void>;
}

export interface Chat {
  /** The turns so far, the system's and the model's own among them. */
  readonly messages: readonly Message[];
  /** The user's next turn and the model's answer to it, which both become part of the conversation. */
  send(turn: UserTurn, options?: AnswerOptions & CallOptions): Promise<Answer>;
  stream(turn: UserTurn, options?: AnswerOptions & CallOptions): AnswerStream;
  /** Begins again. */
  reset(): void;
  close(): Promise<void>;
}

export type UserTurn = string | { text: string; image?: Picture; images?: Picture[] };

/** Loads a model. @throws LorikeetError `checkpoint`, `tokenizer` or `adapter` for files that are missing or do not fit. */
export async function loadModel(options: LoadOptions): Promise<Model> {
  const thread = new ModelThread();
  try {
    return new ThreadedModel(thread, await thread.call('open', [options]));
  } catch (error) {
    await thread.end();
    throw error;
  }
}

class ThreadedModel implements Model {
  readonly facts: ModelFacts;
  readonly #thread: ModelThread;
  #topics = 0;

  constructor(thread: ModelThread, facts: ModelFacts) {
    this.#thread = thread;
    this.facts = facts;
  }

  async generate(request: AnswerRequest, options?: CallOptions): Promise<Answer> {
    return (await this.generateAll([request], options))[0];
  }

  generateAll(requests: readonly AnswerRequest[], options?: CallOptions): Promise<Answer[]> {
    return this.#thread.call('answer', [[...requests]], options);
  }

  stream(request: AnswerRequest, options?: CallOptions): AnswerStream {
    return answerStream(async (hooks) => (await this.#thread.call('answer', [[request]], hooks))[0], options);
  }

  async about(pictures: Pictures): Promise<About> {
    const thread = this.#thread;
    const topic = this.#topics++;
    const sharedTokens = await thread.call('hold', [pictures, topic]);
    const answer = (questions: readonly string[], options: AnswerOptions, hooks: CallHooks) =>
      thread.call(
        'answer',
        [questions.map((question) => ({ ...pictures, ...options, question })), topic],
        hooks,
      );
    const askAll: About['askAll'] = (questions, options) => {
      const [how, hooks] = separate(options);
      return answer(questions, how, hooks);
    };
    return {
      sharedTokens,
      askAll,
      ask: async (question, options) => (await askAll([question], options))[0],
      stream(question, options) {
        const [how, hooks] = separate(options);
        return answerStream(async (streamed) => (await answer([question], how, streamed))[0], hooks);
      },
      close: () => thread.call('forget', [topic]),
    };
  }

  chat({ system }: { system?: string } = {}): Chat {
    return new ThreadedChat(this.#thread, this.#topics++, system);
  }

  useAdapter(dir: string | undefined): Promise<void> {
    return this.#thread.call('useAdapter', [dir]);
  }

  async close(): Promise<void> {
    await this.#thread.end();
  }
}

class ThreadedChat implements Chat {
  readonly #thread: ModelThread;
  readonly #topic: number;
  readonly #begin: Message[];
  #messages: Message[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(thread: ModelThread, topic: number, system: string | undefined) {
    this.#thread = thread;
    this.#topic = topic;
    this.#begin = system === undefined ? [] : [{ role: 'system', content: system }];
    this.#messages = [...this.#begin];
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  send(turn: UserTurn, options?: AnswerOptions & CallOptions): Promise<Answer> {
    const [how, hooks] = separate(options);
    return this.#reply(turn, how, hooks);
  }

  stream(turn: UserTurn, options?: AnswerOptions & CallOptions): AnswerStream {
    const [how, hooks] = separate(options);
    return answerStream((streamed) => this.#reply(turn, how, streamed), hooks);
  }

  reset(): void {
    this.#messages = [...this.#begin];
  }

  close(): Promise<void> {
    return this.#thread.call('forget', [this.#topic]);
  }

  /** One turn after the other, in the order they were sent. */
  #reply(turn: UserTurn, how: AnswerOptions, hooks: CallHooks): Promise<Answer> {
    const answer = this.#last.then(() => this.#answer(turn, how, hooks));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** A turn that fails, and one without a word for an answer, leave the conversation as it was. */
  async #answer(turn: UserTurn, how: AnswerOptions, hooks: CallHooks): Promise<Answer> {
    const messages = [...this.#messages, userMessage(turn)];
    const answer = await this.#thread.call('reply', [{ ...how, messages }, this.#topic], hooks);
    if (answer.text.trim() !== '')
      this.#messages = [...messages, { role: 'assistant', content: answer.text }];
    return answer;
  }
}

function userMessage(turn: UserTurn): Message {
  const { text, image, images = [] } = typeof turn === 'string' ? { text: turn } : turn;
  const pictures = image === undefined ? images : [image, ...images];
  return {
    role: 'user',
    content: [
      ...pictures.map((picture) => ({ type: 'image' as const, image: picture })),
      { type: 'text', text },
    ],
  };
}

/** What goes to the thread, and what stays: functions and signals cannot be sent. */
function separate({
  signal,
  onPrompt,
  onNotice,
  ...how
}: AnswerOptions & CallOptions = {}): [AnswerOptions, CallHooks] {
  return [how, { signal, onPrompt, onNotice }];
}
