/** Questions in, answers out, in the thread that calls: `loadModel` runs it in one of its own. */
import type { ImageReference } from '../data/example.ts';
import type { ImagePatches } from '../data/processor.ts';
import { createTokenReader } from '../data/token-texts.ts';
import { LorikeetError } from '../errors.ts';
import type { PixelLimits } from '../models/qwen2-vl/processor.ts';
import { createEncoder, type Encoder } from '../train/encoder.ts';
import { CachedModel } from './cached-model.ts';
import type { ModelFacts, Pictures } from './calls.ts';
import { Context } from './context.ts';
import { decodeTogether, type Finish } from './decode.ts';
import { endTokens } from './end-tokens.ts';
import { type Prompt, promptOf, sharedLength } from './prompt.ts';
import {
  type AnswerOptions,
  type AnswerRequest,
  checkAnswerOptions,
  defaultMaxNewTokens,
  exampleOf,
  type Question,
} from './request.ts';
import { createSampler } from './sampling.ts';

export interface EngineOptions {
  /** Folder of the model in Hugging Face layout. */
  model: string;
  /** Folder of an adapter, as PEFT writes it. */
  adapter?: string;
  /** Take the place of the checkpoint's own limits. */
  image?: PixelLimits;
  /** Physical cores where not given. */
  threads?: number;
  /** Whether decoding packs its weights; by their type and the memory available where not given. */
  pack?: boolean;
}

export interface Answer {
  /** Special tokens left out. */
  text: string;
  /** Ids of the answer, without the token that ended it. */
  tokens: number[];
  /**
   * Natural logarithm of the probability that the model itself gives each token, temperature and filters aside; one
   * more for the token that ended the answer.
   */
  logProbabilities: number[];
  finish: Finish;
  /** Length of the prompt, image tokens among them. */
  promptTokens: number;
  /** Tokens of the prompt that were not read for this answer alone, but before or for several. */
  sharedTokens: number;
  /** What reading and decoding took, of all answers that ran together. */
  seconds: { read: number; decode: number };
}

export interface AnswerHooks {
  /** Once the prompts are tokens, and before the model reads them. */
  onPrompt?(facts: { tokens: number; pictures: number }): void;
  /** The next piece of the answer with this index; whole characters only. */
  onText?(answer: number, text: string): void;
  stopped?(): boolean;
}

/** What is kept between calls: a picture that is asked about, or a conversation. */
export interface Topic {
  readonly context: Context;
  /** Each picture is decoded once. */
  readonly picture: (image: ImageReference) => Promise<ImagePatches>;
}

/** Answers that are decoded together. */
const together = 32;

export class Engine {
  readonly model: CachedModel;
  readonly #encoder: Encoder;
  readonly #endTokenIds: ReadonlySet<number>;

  private constructor(model: CachedModel, encoder: Encoder, endTokenIds: ReadonlySet<number>) {
    this.model = model;
    this.#encoder = encoder;
    this.#endTokenIds = endTokenIds;
  }

  static async open({ model: modelDir, adapter, image = {}, threads, pack }: EngineOptions): Promise<Engine> {
    const encoder = await createEncoder({ modelDir, image, maxLength: Number.MAX_SAFE_INTEGER });
    const model = await CachedModel.open({ modelDir, adapterDir: adapter, threads, pack });
    return new Engine(model, encoder, await endTokens(modelDir, model.config, encoder.tokenizer));
  }

  facts(): ModelFacts {
    const { threads, packing, dtypes } = this.model;
    return { device: 'cpu', threads, dtypes, packed: packing.packed, packing: packing.reason };
  }

  newTopic(): Topic {
    return { context: new Context(this.model), picture: remember((image) => this.#encoder.picture(image)) };
  }

  /** Reads what every question about these pictures begins with. */
  async hold(topic: Topic, pictures: Pictures): Promise<number> {
    // What two prompts with different questions share is what comes before any question.
    const [a, b] = await Promise.all(
      ['a', '1'].map((text) => this.#prompt({ ...pictures, question: text }, topic)),
    );
    const length = sharedLength(a, b);
    await topic.context.hold(a, length);
    return length;
  }

  /**
   * Answers to several questions, in their order. Those about the same pictures are decoded together and share what
   * their prompts begin with, which is read once. With a topic they are all about what it holds.
   */
  async answer(
    requests: readonly AnswerRequest[],
    hooks: AnswerHooks = {},
    topic?: Topic,
  ): Promise<Answer[]> {
    for (const request of requests) checkAnswerOptions(request);
    const shared = topic ?? this.newTopic();
    const prompts: Prompt[] = [];
    for (const request of requests) prompts.push(await this.#prompt(request, shared));
    hooks.onPrompt?.({
      tokens: prompts.reduce((sum, { ids }) => sum + ids.length, 0),
      pictures: prompts.reduce((sum, { images }) => sum + images.length, 0),
    });
    const answers: Answer[] = new Array(requests.length);
    for (const group of groupsOf(prompts)) {
      const started = performance.now();
      const texts = group.map((i) => ({ prompt: prompts[i], options: requests[i] }));
      const context = topic?.context ?? (await this.#common(texts.map(({ prompt }) => prompt)));
      const named = { ...hooks, onText: (i: number, text: string) => hooks.onText?.(group[i], text) };
      const answered = await this.#decode(context, texts, named, started);
      answered.forEach((answer, i) => {
        answers[group[i]] = answer;
      });
      context.release();
    }
    return answers;
  }

  /** A context that holds what several prompts begin with. */
  async #common(prompts: readonly Prompt[]): Promise<Context> {
    const context = new Context(this.model);
    const [first, ...others] = prompts;
    if (others.length > 0)
      await context.hold(first, Math.min(...others.map((prompt) => sharedLength(first, prompt))));
    return context;
  }

  /** The next answer of a conversation; it stays in the topic, so that the turn after it reads its own words alone. */
  async reply(topic: Topic, request: AnswerRequest, hooks: AnswerHooks = {}): Promise<Answer> {
    checkAnswerOptions(request);
    const started = performance.now();
    const prompt = await this.#prompt(request, topic);
    const shared = topic.context.rewind(prompt);
    hooks.onPrompt?.({ tokens: prompt.ids.length - shared, pictures: prompt.images.length });
    const [answer] = await this.#decode(topic.context, [{ prompt, options: request }], hooks, started);
    topic.context.adopt(prompt, answer.tokens);
    return answer;
  }

  useAdapter(dir: string | undefined): Promise<void> {
    return this.model.useAdapter(dir);
  }

  close(): Promise<void> {
    return this.model.close();
  }

  async #decode(
    context: Context,
    texts: readonly { prompt: Prompt; options: AnswerOptions }[],
    { onText, stopped }: AnswerHooks,
    started: number,
  ): Promise<Answer[]> {
    const prefilled = await context.branch(texts.map(({ prompt }) => prompt));
    const unanswered = prefilled.map((text, i) => {
      const { maxNewTokens = defaultMaxNewTokens, ...sampling } = texts[i].options;
      return { ...text, maxNewTokens, sample: createSampler(sampling) };
    });
    const readers = texts.map(() => createTokenReader(this.#encoder.tokenizer, { skipSpecial: true }));
    const pieces = texts.map(() => '');
    const tell = (i: number, text: string) => {
      pieces[i] += text;
      if (text !== '') onText?.(i, text);
    };
    const read = performance.now();
    const decoded = await decodeTogether(this.model, context.store, unanswered, this.#endTokenIds, {
      stopped,
      onToken: (i, id) => tell(i, readers[i].read(id)),
    });
    const seconds = { read: (read - started) / 1000, decode: (performance.now() - read) / 1000 };
    return decoded.map(({ ids, logProbabilities, finish }, i) => {
      tell(i, readers[i].end());
      const promptTokens = texts[i].prompt.ids.length;
      const { shared: sharedTokens } = prefilled[i];
      return { text: pieces[i], tokens: ids, logProbabilities, finish, promptTokens, sharedTokens, seconds };
    });
  }

  async #prompt(request: Question, topic: Topic): Promise<Prompt> {
    const example = exampleOf(request);
    try {
      return promptOf(await this.#encoder.loadPrompt(example, topic.picture), this.model.config);
    } catch (error) {
      throw withoutRow(error);
    }
  }
}

/** Indices of prompts about the same pictures, `together` at most; each picture was decoded once. */
function groupsOf(prompts: readonly Prompt[]): number[][] {
  const groups: number[][] = [];
  prompts.forEach(({ images }, i) => {
    const isSame = (other: Prompt) =>
      other.images.length === images.length &&
      images.every(({ patches }, at) => patches === other.images[at].patches);
    const group = groups.find((members) => members.length < together && isSame(prompts[members[0]]));
    if (group) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

function remember<T>(read: (image: ImageReference) => Promise<T>): (image: ImageReference) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (image) => {
    const key = 'path' in image ? image.path : image.dataUrl;
    const picture = known.get(key) ?? read(image);
    known.set(key, picture);
    picture.catch(() => known.delete(key)); // the file may be mended
    return picture;
  };
}

/** A question is no row of a file. */
function withoutRow(error: unknown): unknown {
  if (!(error instanceof LorikeetError)) return error;
  const { code, what, fix, place, cause = error } = error;
  return new LorikeetError(code, { ...place, row: undefined, what, fix, cause });
}
