/** How a program and the model's thread speak: calls one way; pieces of answers, results and errors the other. */
import type { StopFlag } from '../train/thread.ts';
import type { WireError } from '../train/wire.ts';
import type { Answer, EngineOptions } from './engine.ts';
import type { AnswerRequest, Picture } from './request.ts';

export interface Pictures {
  image?: Picture;
  images?: Picture[];
  system?: string;
}

/** What may be asked of the thread, and what comes back. `topic` numbers what is kept between calls. */
export interface Methods {
  open: (options: EngineOptions) => ModelFacts;
  answer: (requests: AnswerRequest[], topic?: number) => Answer[];
  reply: (request: AnswerRequest, topic: number) => Answer;
  /** Tokens that every question about the pictures begins with. */
  hold: (pictures: Pictures, topic: number) => number;
  forget: (topic: number) => void;
  useAdapter: (dir: string | undefined) => void;
  close: () => void;
}

/** How a model runs, for those who want to know. */
export interface ModelFacts {
  device: string;
  threads: number;
  /** Types of the weights as they are stored. */
  dtypes: string[];
  /** Decoded tokens after which weights are copied into a form that decodes faster, Infinity for never; and why. */
  packAfter: number;
  packing: string;
}

export type Method = keyof Methods;

export interface Call<M extends Method = Method> {
  call: number;
  method: M;
  parameters: Parameters<Methods[M]>;
  stop: StopFlag;
}

export type Reply = { call: number } & (
  | { text: string; answer: number }
  | { prompt: { tokens: number; pictures: number } }
  | { notice: string }
  | { result: unknown }
  | { error: WireError }
);
