import { resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { loadModel, type Model } from '../generate/model.ts';
import { type AnswerOptions, checkAnswerOptions, exampleOf } from '../generate/request.ts';
import { adapterFolder } from '../train/adapter-folder.ts';
import { count, number, shortPath } from '../words.ts';
import { showAnswer } from './answer.ts';
import { converse } from './conversation.ts';
import { stopOnSignals } from './signals.ts';
import { type TrainedWith, trainedWith } from './trained-with.ts';

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
export async function askCommand(question: string | undefined, options: AskCommandOptions): Promise<number> {
  const { model: modelDir, interactive, threads, image: images = [], maxPixels } = options;
  const { maxNewTokens, temperature, topK, topP, seed } = options;
  const how = { maxNewTokens, temperature, topK, topP, seed };
  if (modelDir === undefined)
    throw missing('a model', 'Name its folder: lorikeet ask --model DIR --image FILE "question".');
  if (question === undefined && !interactive)
    throw missing('a question', 'Write it in quotes at the end, or talk with --interactive.');
  // What is wrong with the question is told before a model is loaded for it.
  checkAnswerOptions(how);
  exampleOf({ question: question ?? 'about these pictures', images });
  const adapter = options.adapter && resolve(await adapterFolder(options.adapter));
  const trained = adapter ? trainedWith(adapter) : undefined;
  const image = { ...trained?.image, ...(maxPixels === undefined ? {} : { maxPixels }) };
  const system = options.system ?? trained?.system;
  const stop = stopOnSignals(() => {}); // before the model is loaded, so that Ctrl-C ends that too
  let model: Model | undefined;
  try {
    model = await loadModel({ model: modelDir, adapter, threads, image, cache: trained?.cache });
    tellModel(model, modelDir);
    if (adapter) tellAdapter(adapter, trained);
    if (interactive) return await converse(model, { question, images, system, how, stop });
    const request = { question: question!, images, system, ...how };
    const { finish } = await showAnswer((hooks) => model!.stream(request, hooks), stop.signal);
    return finish === 'aborted' ? stop.exitCode() || 1 : 0;
  } finally {
    stop.release();
    await model?.close();
  }
}

function tellModel({ facts }: Model, modelDir: string): void {
  const packed = Number.isFinite(facts.packAfter) ? `, packed after ${count(facts.packAfter, 'token')}` : '';
  const weights = `${facts.dtypes.join(', ')} weights mapped${packed}: ${facts.packing}`;
  process.stderr.write(
    `Model    ${shortPath(modelDir)} (${weights}; ${facts.device}, ${count(facts.threads, 'thread')})\n`,
  );
}

function tellAdapter(adapter: string, trained: TrainedWith | undefined): void {
  const maxPixels = trained?.image.maxPixels;
  const asTrained = [
    ...(maxPixels === undefined ? [] : [`pictures of ${number(maxPixels)} pixels at most`]),
    ...(trained?.system === undefined ? [] : ['its system text']),
  ];
  const how = asTrained.length > 0 ? ` (as in its run: ${asTrained.join(', ')})` : '';
  process.stderr.write(`Adapter  ${shortPath(adapter)}${how}\n`);
}

function missing(what: string, fix: string): LorikeetError {
  return new LorikeetError('config', { what: `${what} expected, got none`, fix });
}
