/** The model's thread: `run()` of ONNX Runtime blocks, so it must not be the one that a program waits in. */
import { parentPort } from 'node:worker_threads';
import { isRaised } from '../train/thread.ts';
import { errorToWire } from '../train/wire.ts';
import type { Call, Method, Methods, Reply } from './calls.ts';
import { type AnswerHooks, Engine, type Topic } from './engine.ts';

const post = (reply: Reply) => parentPort!.postMessage(reply);

let engine: Engine;
const topics = new Map<number, Topic>();

function topicOf(number: number): Topic {
  const topic = topics.get(number) ?? engine.newTopic();
  topics.set(number, topic);
  return topic;
}

type Handlers = {
  [M in Method]: (
    hooks: AnswerHooks,
    ...parameters: Parameters<Methods[M]>
  ) => Promise<ReturnType<Methods[M]>>;
};

const handlers: Handlers = {
  async open(_, options) {
    engine = await Engine.open(options);
    return engine.facts();
  },
  answer: (hooks, requests, topic) =>
    engine.answer(requests, hooks, topic === undefined ? undefined : topicOf(topic)),
  reply: (hooks, request, topic) => engine.reply(topicOf(topic), request, hooks),
  hold: (_, pictures, topic) => engine.hold(topicOf(topic), pictures),
  async forget(_, topic) {
    topics.delete(topic);
  },
  useAdapter: (_, dir) => engine.useAdapter(dir),
  close: () => engine.close(),
};

async function handle({ call, method, parameters, stop }: Call): Promise<void> {
  const hooks: AnswerHooks = {
    onPrompt: (prompt) => post({ call, prompt }),
    onNotice: (notice) => post({ call, notice }),
    onText: (answer, text) => post({ call, answer, text }),
    stopped: () => isRaised(stop),
  };
  const handler = handlers[method] as (hooks: AnswerHooks, ...parameters: unknown[]) => Promise<unknown>;
  try {
    const result = await handler(hooks, ...parameters);
    for (const notice of engine.model.takeNotices()) hooks.onNotice?.(notice);
    post({ call, result });
  } catch (error) {
    post({ call, error: errorToWire(error) });
  }
}

// One call after the other: a run takes all cores, and a topic's cache is one call's at a time.
let last = Promise.resolve();
parentPort!.on('message', (call: Call) => {
  last = last.then(() => handle(call));
});
