import { LorikeetError } from '../errors.ts';
import { loadModel, type Model } from '../generate/model.ts';
import { type AnswerOptions, checkAnswerOptions, exampleOf } from '../generate/request.ts';
import { showAnswer } from './answer.ts';
import { converse } from './conversation.ts';
import { stopOnSignals } from './signals.ts';
import { count, shortPath } from './words.ts';

export interface AskCommandOptions extends AnswerOptions {
  model?: string;
  adapter?: string;
  image?: string[];
  system?: string;
  threads?: number;
  maxPixels?: number;
  interactive?: boolean;
}

/** Runs `lorikeet ask` and gives the exit code: 0 for an answer, 130 where Ctrl-C cut it. */
export async function askCommand(
  question: string | undefined,
  {
    model: modelDir,
    adapter,
    threads,
    maxPixels,
    interactive,
    image: images = [],
    system,
    ...how
  }: AskCommandOptions,
): Promise<number> {
  if (modelDir === undefined)
    throw missing('a model', 'Name its folder: lorikeet ask --model DIR --image FILE "question".');
  if (question === undefined && !interactive)
    throw missing('a question', 'Write it in quotes at the end, or talk with --interactive.');
  // What is wrong with the question is told before a model is loaded for it.
  checkAnswerOptions(how);
  exampleOf({ question: question ?? 'about these pictures', images, system });
  // Before the model is loaded, so that Ctrl-C ends that too.
  const stop = stopOnSignals(() => {});
  let model: Model | undefined;
  try {
    model = await loadModel({ model: modelDir, adapter, threads, image: { maxPixels } });
    tellModel(model, modelDir, adapter);
    if (interactive) return await converse(model, { question, images, system, how, stop });
    const request = { question: question!, images, system, ...how };
    const { finish } = await showAnswer((hooks) => model!.stream(request, hooks), stop.signal);
    return finish === 'aborted' ? stop.exitCode() || 1 : 0;
  } finally {
    stop.release();
    await model?.close();
  }
}

function tellModel({ facts }: Model, modelDir: string, adapter: string | undefined): void {
  const weights = `${facts.dtypes.join(', ')} weights ${facts.packed ? 'packed' : 'mapped'}, ${facts.packing}`;
  const lines = [
    `Model    ${shortPath(modelDir)} (${weights}; ${facts.device}, ${count(facts.threads, 'thread')})`,
  ];
  if (adapter !== undefined) lines.push(`Adapter  ${shortPath(adapter)}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

function missing(what: string, fix: string): LorikeetError {
  return new LorikeetError('config', { what: `${what} expected, got none`, fix });
}
