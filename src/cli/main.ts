#!/usr/bin/env node
import { Command, Option } from 'commander';
import { lorikeetVersion } from '../train/version.ts';
import { askCommand } from './ask-command.ts';
import { checkCommand } from './check-command.ts';
import { evaluateCommand } from './evaluate-command.ts';
import { describeFailure } from './failure.ts';
import { inspectCommand } from './inspect-command.ts';
import { reportCommand } from './report-command.ts';
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
  .command('ask')
  .summary('Ask a model about pictures.')
  .description(
    'Asks a model, with an adapter or without. The answer stands on stdout and nothing else; what is loaded, how long ' +
      'it took and what went wrong stand on stderr. The likeliest answer, the same every time, unless a temperature, ' +
      'top-k or top-p asks for draws. Ctrl-C stops the answer.',
  )
  .usage('--model DIR [--adapter DIR] [--image FILE ...] [options] "question"')
  .argument('[question]', 'the question; its pictures stand before it, in their order')
  .option('--model <dir>', 'the model, a folder in Hugging Face layout')
  .option('--adapter <dir>', 'an adapter, or the folder of a run, whose image and system settings then hold')
  .option('--image <file>', 'a picture; several with several --image', collect)
  .option('--system <text>', "a system text in place of the template's own")
  .option('--max-new-tokens <n>', 'longest answer in tokens (default: 256)', Number)
  .option('--temperature <t>', 'draw instead of taking the likeliest; below 1 nearer to it', Number)
  .option('--top-k <k>', 'draw among the k likeliest tokens', Number)
  .option('--top-p <p>', 'draw among the fewest likeliest tokens that make up this probability', Number)
  .option('--seed <n>', 'draws come from it alone (default: 0)', Number)
  .option(
    '--max-pixels <n>',
    "scale pictures to this area; without it the run's image.maxPixels, or the model's own",
    Number,
  )
  .option('--threads <n>', 'default: physical cores', Number)
  .option('--interactive', 'a conversation, a line for a turn; it ends with an empty line')
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
Examples:

  lorikeet ask --model ./models/Qwen2-VL-2B-Instruct --image scan.png "Is there a polyp?"
  lorikeet ask --model ./base --adapter runs/first/best --image a.png --image b.png "What changed?"
  lorikeet ask --model ./base --image a.png --interactive
`,
  )
  .action(async (question: string | undefined, options) => {
    process.exitCode = await askCommand(question, options);
  });

program
  .command('evaluate')
  .summary('Score a model on data: how good, how sure, and whether it looked at the pictures.')
  .description(
    'Asks a model every question of a split and scores its answers, with intervals, beside the floor (always the commonest ' +
      'training answer) and the same questions about shuffled pictures. Every answer is kept in predictions.jsonl.',
  )
  .usage(
    'FILE [--split SPLIT] [--adapter DIR] [--against DIR|base] [--json] [--out DIR] [--set key=value ...]',
  )
  .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
  .addOption(
    new Option(
      '--split <split>',
      'rows of which file; data.test where the config names one, else data.validation',
    ).choices(['train', 'validation', 'test']),
  )
  .option(
    '--adapter <dir>',
    "an adapter, a run's folder, or base; without it the best of the config's own run, or the config's adapter",
  )
  .option('--against <dir>', 'another of these to compare with, row by row')
  .option('--max-new-tokens <n>', 'longest answer in tokens (default: 128)', Number)
  .option('--out <dir>', 'where the evaluation is kept; in the run that is scored without it')
  .option('--json', 'print one JSON document and nothing else')
  .option('--set <key=value...>', 'change words of the config: --set data.test=other.jsonl')
  .helpOption('-h, --help', 'Show this help.')
  .addHelpText(
    'after',
    `
Examples:

  lorikeet evaluate vqa.yaml
  lorikeet evaluate vqa.yaml --against base
  lorikeet evaluate vqa.yaml --split validation --adapter runs/first --against runs/second --json > scores.json
`,
  )
  .action(async (file: string | undefined, options) => {
    process.exitCode = await evaluateCommand(file, options);
  });

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

// A reader that goes away (`| head`) ends the story, not the training.
process.stdout.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(describeFailure(error, Boolean(process.env.LORIKEET_DEBUG)));
  process.exitCode = 1;
}
