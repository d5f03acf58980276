#!/usr/bin/env node
import { Command } from 'commander';
import { lorikeetVersion } from '../train/version.ts';
import { addAdapter } from './adapter.ts';
import { addAsk } from './ask.ts';
import { addCheck } from './check.ts';
import { addEstimate } from './estimate.ts';
import { addEvaluate } from './evaluate.ts';
import { addExport } from './export.ts';
import { describeFailure } from './failure.ts';
import { addInspect } from './inspect.ts';
import { addMerge } from './merge.ts';
import { addPull } from './pull.ts';
import { addReport } from './report.ts';
import { addTrain } from './train.ts';
import { addWatch } from './watch.ts';

const program = new Command('lorikeet')
  .description(
    'Fine-tunes vision-language models on your own pictures, questions and answers, on your own machine.',
  )
  .version(lorikeetVersion(), '-V, --version', 'Print the version.')
  .helpOption('-h, --help', 'Show this help.')
  .helpCommand('help [command]', 'Show the help of a command.')
  .showSuggestionAfterError()
  .showHelpAfterError('(lorikeet --help tells more)');

// In the order in which people need them. Each loads what it runs when it is called: help and version come at once.
addPull(program);
addCheck(program);
addInspect(program);
addEstimate(program);
addTrain(program);
addWatch(program);
addReport(program);
addAsk(program);
addEvaluate(program);
addMerge(program);
addExport(program);
addAdapter(program);

// A reader that goes away (`| head`) ends the story, not the training.
process.stdout.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(describeFailure(error, Boolean(process.env.LORIKEET_DEBUG)));
  process.exitCode = 1;
}
