#!/usr/bin/env node
import { Command } from 'commander';
import { lorikeetVersion } from '../train/version.ts';
import { checkCommand } from './check-command.ts';
import { describeFailure } from './failure.ts';
import { trainCommand } from './train-command.ts';

const program = new Command('lorikeet')
  .description(
    'Fine-tunes vision-language models on your own pictures, questions and answers, on your own machine.',
  )
  .version(lorikeetVersion(), '-V, --version', 'Print the version.')
  .helpOption('-h, --help', 'Show this help.')
  .helpCommand('help [command]', 'Show the help of a command.')
  .showSuggestionAfterError()
  .showHelpAfterError('(lorikeet --help tells more)');

program
  .command('train')
  .summary('Train an adapter from a config file.')
  .description(
    'Trains an adapter from a config file and writes it, with the story of its training, to the output folder ' +
      'that the file names. Ctrl-C stops after the current step and keeps what was learned.',
  )
  .usage('FILE [--set key=value ...] [--overwrite]')
  .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
  .option('--set <key=value...>', 'change words of the config: --set train.epochs=1 lora.rank=8')
  .option('--overwrite', 'replace the run that stands in the output folder')
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
The smallest config:

  model: ./models/Qwen2-VL-2B-Instruct   # a folder in Hugging Face layout
  data: { train: train.jsonl }           # rows with image, question, answer
  output: runs/first                     # paths are relative to the config file

Examples:

  lorikeet train vqa.yaml
  lorikeet train vqa.yaml --set train.learningRate=1e-4 output=runs/second
`,
  )
  .action(async (file: string | undefined, options) => {
    process.exitCode = await trainCommand(file, options);
  });

program
  .command('check')
  .summary('Check the data of a config file, without training.')
  .description(
    'Reads every row and decodes every picture as a training run would before its first step, and tells what it found: ' +
      'tokens, labels, pictures, answers, and what stands in training and validation alike. The model needs no ' +
      'weights for it. Exits 0 where a run could start.',
  )
  .usage('FILE [--set key=value ...] [--json]')
  .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
  .option('--set <key=value...>', 'change words of the config: --set data.onBadRow=skip')
  .option('--json', 'print one JSON document and nothing else')
  .helpOption('-h, --help', 'Show this help.')
  .action(async (file: string | undefined, options) => {
    process.exitCode = await checkCommand(file, options);
  });

// A reader that goes away (`| head`) ends the story, not the training.
process.stdout.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(describeFailure(error, Boolean(process.env.LORIKEET_DEBUG)));
  process.exitCode = 1;
}
