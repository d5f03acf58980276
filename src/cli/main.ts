#!/usr/bin/env node
import { Command, Option } from 'commander';
import { lorikeetVersion } from '../train/version.ts';
import { checkCommand } from './check-command.ts';
import { describeFailure } from './failure.ts';
import { inspectCommand } from './inspect-command.ts';
import { pullCommand } from './pull-command.ts';
import { reportCommand } from './report-command.ts';
import { trainCommand } from './train-command.ts';
import { watchCommand } from './watch-command.ts';

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

program
  .command('inspect')
  .summary('Show what the loss sees: every token of a row, and what it costs.')
  .description(
    'Shows rows as the model receives them: every token, whether it is trained or why not, and with the weights at hand ' +
      'what each trained token costs, what would have been said instead and how the loss adds up.',
  )
  .usage(
    'FILE [--row N ...] [--split SPLIT] [--adapter DIR] [--labels RULE] [--json] [--html FILE] [--set key=value ...]',
  )
  .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
  .option('--row <n...>', 'rows by number, from 0, or all; without it the first 20')
  .addOption(
    new Option('--split <split>', 'rows of which file').choices(['train', 'validation']).default('train'),
  )
  .option('--adapter <dir>', "an adapter's folder, or a run's; without it the config's adapter, or none")
  .option(
    '--labels <rule>',
    'another label rule beside ours: all, notImage, notPadding, or a .json file of your collator',
  )
  .option('--json', 'one JSON document on stdout')
  .option('--html <file>', 'one page that opens offline, with the pictures')
  .option('--set <key=value...>', 'change words of the config: --set image.maxPixels=200704')
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
Examples:

  lorikeet inspect vqa.yaml --row 0 7
  lorikeet inspect vqa.yaml --split validation --adapter runs/first
  lorikeet inspect vqa.yaml --labels all            # what labels = input_ids.clone() trains
  lorikeet inspect vqa.yaml --row all --json > rows.json
  lorikeet inspect vqa.yaml --html rows.html
`,
  )
  .action(async (file: string | undefined, options) => {
    process.exitCode = await inspectCommand(file, options);
  });

program
  .command('report')
  .summary('Write the report of a run: a page, a methods paragraph, a slide.')
  .description(
    'Reads a run folder, finished, crashed or still going, or an output folder of the Hugging Face Trainer, and writes one ' +
      'HTML page with its plots. The files of the run are not changed.',
  )
  .usage('RUN [--out FILE.html] [--methods [form]] [--slide [folder]]')
  .argument('[run]', 'the run folder: what `output` of the config names')
  .option('--out <file>', 'the page, with its plots beside it; report.html in the run folder without it')
  .option('--methods [form]', 'print a methods paragraph instead: markdown, latex, bibtex, or all three')
  .option(
    '--slide [folder]',
    'write one slide instead, as SVG, PNG and Markdown; into slide/ of the run without a folder',
  )
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
Examples:

  lorikeet report runs/first
  lorikeet report runs/first --methods latex > methods.tex
  lorikeet report runs/first --slide talk/
`,
  )
  .action(async (run: string | undefined, options) => {
    process.exitCode = await reportCommand(run, options);
  });

program
  .command('pull')
  .summary('Fetch a model from the Hugging Face hub.')
  .description(
    'Fetches the files of a model that training needs into the cache that Python uses too (HF_HOME), and prints the ' +
      'folder. It is the one command that reaches the network. Ctrl-C keeps what arrived; the same command goes on from there.',
  )
  .usage('ORG/NAME [--revision REV]')
  .argument('[id]', 'the model as the hub calls it: Qwen/Qwen2-VL-2B-Instruct')
  .option('--revision <rev>', 'a branch, a tag or a commit; main without it')
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
A config then names it:

  model: Qwen/Qwen2-VL-2B-Instruct

HF_TOKEN is the token for gated and private models, HF_ENDPOINT a mirror.
`,
  )
  .action(async (id: string | undefined, options) => {
    process.exitCode = await pullCommand(id, options);
  });

program
  .command('watch')
  .summary('Show a run in a browser while it goes on.')
  .description(
    'Serves the report of a run folder on this machine alone, at 127.0.0.1, and keeps it up to date while the run goes ' +
      'on. It reads the folder and nothing else; Ctrl-C ends it and leaves the run alone.',
  )
  .usage('RUN [--port N]')
  .argument('[run]', 'the run folder: what `output` of the config names')
  .option('--port <n>', 'the port; 4747 without it, 0 takes any that is free')
  .helpOption('-h, --help', 'Show this help.')
  .action(async (run: string | undefined, options) => {
    process.exitCode = await watchCommand(run, options);
  });

// A reader that goes away (`| head`) ends the story, not the training.
process.stdout.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(describeFailure(error, Boolean(process.env.LORIKEET_DEBUG)));
  process.exitCode = 1;
}
