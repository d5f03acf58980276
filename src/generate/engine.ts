/** Questions in, answers out, in the thread that calls: `loadModel` runs it in one of its own. */

import { cacheConfig } from '../config/cache-words.ts';
import type { CacheInput } from '../config/schema.ts';
import type { Example, ImageReference } from '../data/example.ts';
import { imagesOf } from '../data/example-images.ts';
import { keyOf } from '../data/image/source.ts';
import { createTokenReader } from '../data/token-texts.ts';
import { LorikeetError } from '../errors.ts';
import { modelFolder } from '../hub/model-folder.ts';
import { threadsOf } from '../runtime/threads.ts';
import { createEncoder, type Encoder, type EncoderSettings } from '../train/encoder.ts';
import type { ImageEmbedder } from '../train/image-embedder.ts';
import type { SampleImage } from '../train/step.ts';
import { CachedModel } from './cached-model.ts';
import type { ModelFacts, Pictures } from './calls.ts';
import { Context } from './context.ts';
import { decodeTogether, type Finish } from './decode.ts';
import { endTokens } from './end-tokens.ts';
import { type Prompt, promptOf, sharedLength } from './prompt.ts';
import type { ReadingModel } from './reading-model.ts';
import {
  type AnswerOptions,
  type AnswerRequest,
  checkAnswerOptions,
  defaultMaxNewTokens,
  exampleOf,
} from './request.ts';
import { createSampler } from './sampling.ts';

export interface EngineOptions {
  /** Folder of the model in Hugging Face layout. */
  model: string;
  /** Folder of an adapter, as PEFT writes it. */
  adapter?: string;
  /** As `image` of a training config: pixel limits in place of the checkpoint's own, and how 16-bit grey is read. */
  image?: EncoderSettings['image'];
  /** Physical cores where not given. */
  threads?: number;
  /** Packs weights from the start, or never. Without it once enough was decoded, where memory allows. */
  pack?: boolean;
  /** As `cache` of a training config: where what the vision tower makes of pictures is kept. Without it a little in memory. */
  cache?: CacheInput;
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
  /** Once the prompts about some pictures are tokens, and before the model reads them. */
  onPrompt?(facts: { tokens: number; pictures: number }): void;
  /** Something about the pictures that are kept which a person should know. */
  onNotice?(text: string): void;
  /** The next piece of the answer with this index; whole characters only. */
  onText?(answer: number, text: string): void;
  stopped?(): boolean;
}

/** What is kept between calls: pictures that are asked about, or a conversation. */
export interface Topic {
  readonly context: Context;
  /** Each picture is decoded once. */
  readonly picture: (image: ImageReference) => Promise<SampleImage>;
  /** What every question of the topic is about, once it is held. */
  pictures?: Pictures;
}

/** Answers that are decoded together. */
const together = 32;

/** `M` is a model that is open for answers alone, or one in the middle of its training. */
export class Engine<M extends ReadingModel = CachedModel> {
  readonly model: M;
  readonly #encoder: Encoder;
  readonly #endTokenIds: ReadonlySet<number>;

  private constructor(model: M, encoder: Encoder, endTokenIds: ReadonlySet<number>) {
    this.model = model;
    this.#encoder = encoder;
    this.#endTokenIds = endTokenIds;
  }

  /** @param embedder of the same model, where somebody has one. */
  static async open(
    { model, adapter, image = {}, threads, pack, cache }: EngineOptions,
    embedder?: ImageEmbedder,
  ): Promise<Engine> {
    const modelDir = modelFolder(model, process.cwd());
    const encoder = await createEncoder({ modelDir, image, maxLength: Number.MAX_SAFE_INTEGER });
    const cached = await CachedModel.open({
      modelDir,
      adapterDir: adapter,
      threads: threadsOf(threads),
      pack,
      cache: cache && cacheConfig(cache),
      embedder,
    });
    return new Engine(cached, encoder, await endTokens(modelDir, cached.config, encoder.tokenizer));
  }

  /** Answers with a model that somebody else opened, and closes; the encoder is that of its folder, and cuts nothing. */
  static async around<M extends ReadingModel>(model: M, encoder: Encoder): Promise<Engine<M>> {
    const { tokenizer } = encoder;
    return new Engine(model, encoder, await endTokens(tokenizer.folder, model.config, tokenizer));
  }

  facts(this: Engine): ModelFacts {
    const { threads, packing, dtypes } = this.model;
    return { device: 'cpu', threads, dtypes, packAfter: packing.after, packing: packing.reason };
  }

  newTopic(): Topic {
    return {
      context: new Context(this.model),
      picture: rememberPictures(
        (image) => this.#encoder.picture(image, this.model.find),
        () => this.model.epoch,
      ),
    };
  }

  /** Reads what every question about these pictures begins with, where it does not stand there yet; its length. */
  async hold(topic: Topic, pictures: Pictures): Promise<number> {
    topic.pictures = pictures;
    // What two prompts with different questions share is what comes before any question.
    const [a, b] = await Promise.all(
      ['a', '1'].map((question) => this.#prompt(exampleOf({ ...pictures, question }), topic)),
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
    const examples = requests.map(exampleOf);
    for (const request of requests) checkAnswerOptions(request);
    const answers: Answer[] = new Array(requests.length);
    for (const group of groupsOf(examples)) {
      const started = performance.now();
      const own = topic ?? this.newTopic();
      if (own.pictures) await this.hold(own, own.pictures); // another adapter may have come in between
      const prompts = await Promise.all(group.map((i) => this.#prompt(examples[i], own)));
      const tokens = prompts.reduce((sum, { ids }) => sum + ids.length, 0);
      hooks.onPrompt?.({ tokens, pictures: prompts[0].images.length });
      if (!topic) await holdCommon(own.context, prompts);
      const texts = prompts.map((prompt, i) => ({ prompt, options: requests[group[i]] }));
      const named = { ...hooks, onText: (i: number, text: string) => hooks.onText?.(group[i], text) };
      const answered = await this.#decode(own.context, texts, named, started);
      answered.forEach((answer, i) => {
        answers[group[i]] = answer;
      });
      own.context.release();
    }
    return answers;
  }

  /** The next answer of a conversation; it stays in the topic, so that the turn after it reads its own words alone. */
  async reply(topic: Topic, request: AnswerRequest, hooks: AnswerHooks = {}): Promise<Answer> {
    checkAnswerOptions(request);
    const started = performance.now();
    const prompt = await this.#prompt(exampleOf(request), topic);
    const shared = topic.context.rewind(prompt);
    hooks.onPrompt?.({ tokens: prompt.ids.length - shared, pictures: prompt.images.length });
    const [answer] = await this.#decode(topic.context, [{ prompt, options: request }], hooks, started);
    const wasRead = topic.context.store.length >= prompt.ids.length; // not where it was stopped before that
    if (wasRead) topic.context.adopt(prompt, answer.tokens);
    return answer;
  }

  useAdapter(this: Engine, dir: string | undefined): Promise<void> {
    return this.model.useAdapter(dir);
  }

  close(this: Engine): Promise<void> {
    return this.model.close();
  }

  async #decode(
    context: Context,
    texts: readonly { prompt: Prompt; options: AnswerOptions }[],
    { onText, stopped }: AnswerHooks,
    started: number,
  ): Promise<Answer[]> {
    if (stopped?.()) return texts.map(({ prompt }) => unread(prompt));
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

  async #prompt(example: Example, topic: Topic): Promise<Prompt> {
    try {
      return promptOf(await this.#encoder.loadPrompt(example, topic.picture), this.model.config);
    } catch (error) {
      throw withoutRow(error);
    }
  }
}

/** Indices of questions about the same pictures, `together` at most. */
function groupsOf(examples: readonly Example[]): number[][] {
  const groups: number[][] = [];
  const open = new Map<string, number[]>();
  examples.forEach((example, i) => {
    const pictures = JSON.stringify(imagesOf(example));
    const group = open.get(pictures);
    if (group && group.length < together) group.push(i);
    else {
      open.set(pictures, [i]);
      groups.push(open.get(pictures)!);
    }
  });
  return groups;
}

/** What several prompts begin with is read once; a prompt alone shares nothing. */
async function holdCommon(context: Context, [first, ...others]: readonly Prompt[]): Promise<void> {
  if (others.length === 0) return;
  await context.hold(first, Math.min(...others.map((prompt) => sharedLength(first, prompt))));
}

function rememberPictures<T>(
  read: (image: ImageReference) => Promise<T>,
  epoch: () => number,
): (image: ImageReference) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (image) => {
    // Another adapter may need of a picture what this one did not.
    const key = `${epoch()} ${keyOf(image)}`;
    const picture = known.get(key) ?? read(image);
    known.set(key, picture);
    picture.catch(() => known.delete(key)); // the file may be mended
    return picture;
  };
}

/** Stopped before the model read a word. */
function unread({ ids }: Prompt): Answer {
  const nothing = {
    text: '',
    tokens: [],
    logProbabilities: [],
    sharedTokens: 0,
    seconds: { read: 0, decode: 0 },
  };
  return { ...nothing, finish: 'aborted', promptTokens: ids.length };
}

/** A question is no row of a file. */
function withoutRow(error: unknown): unknown {
  if (!(error instanceof LorikeetError)) return error;
  const { code, what, fix, place, cause = error } = error;
  return new LorikeetError(code, { ...place, row: undefined, what, fix, cause });
}
