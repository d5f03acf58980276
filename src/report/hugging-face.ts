/** The output folder of the Hugging Face Trainer: its curves, its adapter, and what neither says. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isObject, type Json, type JsonObject, parseJson } from '../formats/json.ts';
import { count } from '../words.ts';
import { readText, Unreadable } from './bounded-files.ts';
import { inOrder } from './read-metrics.ts';
import type { EvaluationPoint, RunStory, StepPoint } from './run-story.ts';

const stateName = 'trainer_state.json';
const adapterName = 'adapter_config.json';
const sizeLimit = 256 * 2 ** 20;

/** Whether the folder, or a checkpoint in it, holds what the Trainer or PEFT leave. */
export function isHuggingFaceFolder(folder: string): boolean {
  return placesOf(folder).some((place) =>
    [stateName, adapterName].some((name) => {
      const { problem } = readJson(join(place, name));
      return problem === undefined || !problem.isMissing;
    }),
  );
}

/** Reads the state and the adapter's config at the root or, where they are not there, in the newest checkpoint. */
export function readHuggingFace(folder: string): RunStory {
  const state = firstOf(folder, stateName);
  const adapter = firstOf(folder, adapterName);
  const history = Array.isArray(state.json?.log_history) ? state.json.log_history.filter(isObject) : [];
  const story: RunStory = {
    folder,
    name: basename(folder),
    source: 'huggingface',
    status: isDone(state.json) ? 'finished' : 'unknown',
    // Copied, because what the parser makes has no prototype and spreads, prints and compares otherwise.
    ...(adapter.json && { adapterConfig: { ...adapter.json } }),
    steps: inOrder(history.flatMap(stepOf)),
    evaluations: inOrder(history.flatMap(evaluationOf)),
    scores: { start: [], last: [] },
    picture: () => undefined,
    missing: [],
    unknown: unknownOf(state.json, adapter.json),
  };
  story.missing = missingOf(state, adapter, story);
  return story;
}

interface Found {
  json?: JsonObject;
  /** Where it was found, `''` for the root. */
  place: string;
  problem?: Unreadable;
  /** NaN and Infinity, which Python writes and JSON has not. */
  notFinite: number;
}

/** The root, then the checkpoints from the newest. */
function placesOf(folder: string): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {}
  const checkpoints = names
    .flatMap((name) => {
      const step = /^checkpoint-(\d{1,12})$/.exec(name)?.[1];
      return step === undefined ? [] : [{ name, step: Number(step) }];
    })
    .sort((a, b) => b.step - a.step);
  return [folder, ...checkpoints.slice(0, 100).map(({ name }) => join(folder, name))];
}

function firstOf(folder: string, name: string): Found {
  let first: Found | undefined;
  for (const place of placesOf(folder)) {
    const found = { ...readJson(join(place, name)), place: place === folder ? '' : basename(place) };
    if (found.json) return found;
    if (!first || first.problem?.isMissing) first = found;
  }
  return first!;
}

function readJson(file: string): Omit<Found, 'place'> {
  let notFinite = 0;
  try {
    const text = readText(file, sizeLimit).replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (piece) => {
      if (piece.startsWith('"')) return piece;
      notFinite++;
      return 'null';
    });
    const json: Json = parseJson(text);
    if (!isObject(json)) throw new Unreadable('holds no JSON object');
    return { json, notFinite };
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error, notFinite };
    return { problem: new Unreadable(`is not whole JSON: ${(error as Error).message}`), notFinite };
  }
}

function isDone(state: JsonObject | undefined): boolean {
  const [step, most] = [finite(state?.global_step), finite(state?.max_steps)];
  return step !== undefined && most !== undefined && most > 0 && step >= most;
}

function stepOf(line: JsonObject): StepPoint[] {
  const [step, loss] = [wholeStep(line.step), finite(line.loss)];
  if (step === undefined || loss === undefined) return [];
  const [gradNorm, learningRate, epoch] = [line.grad_norm, line.learning_rate, line.epoch].map(finite);
  return [
    {
      step,
      loss,
      ...(gradNorm !== undefined && { gradNorm }),
      ...(learningRate !== undefined && { learningRate }),
      // There a share of epochs done, here the epoch that is under way.
      ...(epoch !== undefined && { epoch: Math.max(1, Math.ceil(epoch)) }),
    },
  ];
}

function evaluationOf(line: JsonObject): EvaluationPoint[] {
  const [step, loss] = [wholeStep(line.step), finite(line.eval_loss)];
  if (step === undefined || loss === undefined) return [];
  const seconds = finite(line.eval_runtime);
  return [{ step, loss, ...(seconds !== undefined && { seconds }) }];
}

function finite(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function wholeStep(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function missingOf(state: Found, adapter: Found, { steps, evaluations, status }: RunStory): string[] {
  const done = finite(state.json?.global_step);
  const most = finite(state.json?.max_steps);
  return [
    state.problem && `${stateName} ${state.problem.message}: there are no curves.`,
    state.json &&
      state.place !== '' &&
      `${stateName} was read from ${state.place}, the newest checkpoint that has it.`,
    state.json && steps.length === 0 && `${stateName} holds no training loss (logging_steps may be off).`,
    state.json && evaluations.length === 0 && `${stateName} holds no evaluation loss.`,
    state.notFinite > 0 &&
      `${stateName} holds ${count(state.notFinite, 'value')} that are NaN or infinite; they are left out of the curves.`,
    status === 'unknown' &&
      done !== undefined &&
      most !== undefined &&
      `The state stands at step ${done} of ${most}.`,
    adapter.problem && `${adapterName} ${adapter.problem.message}: what was trained is unknown.`,
  ].filter((sentence) => typeof sentence === 'string');
}

/** What a reader of the curves would need and these files do not hold, the label rule first. */
function unknownOf(state: JsonObject | undefined, adapter: JsonObject | undefined): string[] {
  const every = finite(state?.logging_steps);
  const batch = finite(state?.train_batch_size);
  return [
    'Which tokens the loss was computed on (the label rule): the answers alone, or questions, image and padding tokens too. ' +
      '`lorikeet inspect FILE.yaml --labels all` shows what that changes on your rows.',
    'What the mean was over: all label tokens of a step, or means of batches averaged.' +
      (every !== undefined && every > 1 ? ` Each logged loss is itself a mean over ${every} steps.` : ''),
    'How the evaluation loss weighs its rows: the Trainer averages over batches, so it depends on their size where rows ' +
      'have unlike numbers of label tokens.',
    'The data: which rows, how many of them label tokens, what was refused or cut, whether a picture stands in training ' +
      'and validation alike.',
    'Whether pictures reached the model at all, and at what size.',
    `Rows of an optimizer step: ${batch === undefined ? 'the batch size,' : `${batch} a batch, times`} gradient accumulation and devices.`,
    'Optimizer, weight decay, schedule, clipping: only the rates and norms that were logged are known.',
    'Seeds, precision, and the versions of everything' +
      (typeof adapter?.peft_version === 'string' ? ` but PEFT (${adapter.peft_version.slice(0, 40)}).` : '.'),
    adapter
      ? 'The size of the base and of its vocabulary, so what guessing would cost; how many parameters were trained.'
      : 'What was trained: an adapter or the whole model, and on which base.',
    'How the base did before step 1, and how sure the model was of single tokens.',
  ];
}
