/** How every model is asked that is scored, alone or in the middle of its training. */
import type { ImageReference, Turn } from '../data/example.ts';
import type { Answer, Engine } from '../generate/engine.ts';
import type { ReadingModel } from '../generate/reading-model.ts';
import type { AnswerRequest, Picture } from '../generate/request.ts';

export interface AskingOptions {
  /** An answer that has not ended by itself is cut here. */
  maxNewTokens: number;
  stopped: () => boolean;
}

export const defaultMaxAnswerTokens = 128;

/** The likeliest answers. Questions about the same pictures share their reading. */
export function likeliestAnswers(
  engine: Engine<ReadingModel>,
  prompts: readonly Turn[][],
  { maxNewTokens, stopped }: AskingOptions,
): Promise<Answer[]> {
  return engine.answer(
    prompts.map((turns) => requestOf(turns, maxNewTokens)),
    { stopped },
  );
}

function requestOf(turns: readonly Turn[], maxNewTokens: number): AnswerRequest {
  const messages = turns.map(({ role, content }) => ({
    role,
    content: content.map((part) =>
      part.type === 'image' ? { type: part.type, image: pictureOf(part.image) } : part,
    ),
  }));
  return { messages, maxNewTokens };
}

function pictureOf(image: ImageReference): Picture {
  if ('path' in image) return image.path;
  return 'held' in image ? image.bytes : image.dataUrl;
}
