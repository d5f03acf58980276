import { loadConfig } from '../config/load.ts';
import { describeEvaluation } from '../evaluate/describe.ts';
import { type EvaluatedEvent, evaluate, type LostEvent, type UnfinishedEvent } from '../evaluate/evaluate.ts';
import type { EvaluateOptions } from '../evaluate/plan.ts';
import { count, duration, number, shortPath } from '../words.ts';
import { configWords } from './config-words.ts';
import { createCounter } from './counter.ts';
import { stopOnSignals } from './signals.ts';

export interface EvaluateCommandOptions extends Omit<EvaluateOptions, 'signal'> {
  set?: string[];
  json?: boolean;
}

/** Rows that are named as they are lost. */
const shownLost = 3;

/**
 * Runs `lorikeet evaluate` and gives the exit code: 130 where Ctrl-C stopped it. The scores stand on stdout, what happens
 * on the way on stderr.
 */
export async function evaluateCommand(
  file: string | undefined,
  { set, json, ...options }: EvaluateCommandOptions,
): Promise<number> {
  const words = configWords('evaluate', file, set);
  const config = await loadConfig(words.file, { set: words.set });
  const counter = createCounter(process.stderr);
  const stop = stopOnSignals(() => {
    counter.clear();
    process.stderr.write('Stopping; what was answered is kept.\n');
  });
  let lost = 0;
  counter.tell('answering', 0, 0); // its clock starts here
  try {
    for await (const event of evaluate(config, { ...options, signal: stop.signal })) {
      if (event.type === 'answering') counter.tell('answering', event.answers, event.totalAnswers);
      else if (event.type === 'lost') {
        counter.clear();
        tellLost(event, ++lost);
      } else if (event.type === 'notice') {
        counter.clear();
        process.stderr.write(`Note: ${event.text}\n`);
      } else if (event.type === 'unfinished') {
        counter.clear();
        process.stderr.write(`${unfinishedWords(event)}\n`);
      } else {
        counter.clear();
        process.stdout.write(json ? `${JSON.stringify(event.scorecard, null, 2)}\n` : story(event));
        return 0;
      }
    }
    return stop.exitCode() || 1;
  } finally {
    counter.clear();
    stop.release();
  }
}

function unfinishedWords({ answers, totalAnswers, folder }: UnfinishedEvent): string {
  const left = `${number(answers)} of ${count(totalAnswers, 'answer')}`;
  return `Kept    ${shortPath(folder)}/predictions.jsonl (unfinished: ${left}); the same command begins again`;
}

function tellLost({ reason }: LostEvent, lost: number): void {
  if (lost <= shownLost) process.stderr.write(`Lost: ${reason}\n`);
  if (lost === shownLost) process.stderr.write('Further rows that are lost are named in evaluation.json.\n');
}

function story({ scorecard, folder }: EvaluatedEvent): string {
  const { seconds, answersComputed } = scorecard;
  const pace = `${count(answersComputed, 'answer')} in ${duration(seconds)}, ${(answersComputed / seconds).toFixed(1)} a second`;
  return `${[...describeEvaluation(scorecard), `Time        ${pace}`, `Kept        ${shortPath(folder)} (evaluation.json, predictions.jsonl)`].join('\n')}\n`;
}
