#!/usr/bin/env node
import { Command, Option } from 'commander';
import { lorikeetVersion } from '../train/version.ts';
import { adapterCommand } from './adapter-command.ts';
import { askCommand } from './ask-command.ts';
import { exportCommand } from './export-command.ts';
import { describeFailure } from './failure.ts';
import { mergeCommand } from './merge-command.ts';
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
  .command('merge')
  .summary('Write base and adapter as one model.')
  .description(
    'Writes base + adapter as a model of its own, in Hugging Face layout: files, names and types of the weights as the ' +
      'base has them, with its config, tokenizer and processor. The folder appears whole or not at all.',
  )
  .usage('--model DIR --adapter DIR --output DIR [--dtype same|f32|f16|bf16]')
  .requiredOption('--model <dir>', 'the base, a folder in Hugging Face layout')
  .requiredOption('--adapter <dir>', 'the adapter, as PEFT or Lorikeet writes it')
  .requiredOption('--output <dir>', 'the folder to write')
  .addOption(
    new Option('--dtype <type>', 'what the weights are stored as')
      .choices(['same', 'f32', 'f16', 'bf16'])
      .default('same', 'as each is in the base'),
  )
  .option('--max-shard-size <size>', 'divide the weights anew, into files of at most 5GB, 500MB, ...')
  .option('--overwrite', 'replace the model that stands in the output folder')
  .helpOption('-h, --help', 'Show this help.')
  .action(async (options) => {
    process.exitCode = await mergeCommand(options);
  });

program
  .command('export')
  .summary('Write a model for transformers.js.')
  .description(
    'Writes a model, with an adapter merged into it or without, as the three ONNX graphs that transformers.js loads for ' +
      'Qwen2VLForConditionalGeneration, with their data, config, tokenizer and processor. The folder appears whole or not at all.',
  )
  .usage('--model DIR [--adapter DIR] --format onnx --output DIR [--dtype f32|f16]')
  .requiredOption('--model <dir>', 'the base, a folder in Hugging Face layout')
  .option('--adapter <dir>', 'an adapter to merge into it')
  .addOption(new Option('--format <format>', 'what to write').choices(['onnx']).makeOptionMandatory())
  .requiredOption('--output <dir>', 'the folder to write')
  .addOption(
    new Option('--dtype <type>', 'what the weights are stored as').choices(['f32', 'f16']).default('f32'),
  )
  .option('--overwrite', 'replace the model that stands in the output folder')
  .helpOption('-h, --help', 'Show this help.')
  .action(async (options) => {
    process.exitCode = await exportCommand(options);
  });

program
  .command('adapter')
  .summary('Show an adapter, compare two, or hold one against a base.')
  .description(
    'Shows what is in an adapter: its settings, its modules, how far each was trained. With a second one, how the two ' +
      'differ; with --model, whether every tensor has its place in that base (exit code 1 where not).',
  )
  .usage('DIR [DIR2] [--model BASE] [--modules] [--json]')
  .argument('<dir>', 'the adapter, as PEFT or Lorikeet writes it')
  .argument('[dir2]', 'another one to compare it with')
  .option('--model <dir>', 'the base to hold it against, a folder in Hugging Face layout')
  .option('--modules', 'a line for each module instead of each kind')
  .option('--json', 'one JSON document instead of text')
  .helpOption('-h, --help', 'Show this help.')
  .action(async (dir: string, dir2: string | undefined, options) => {
    process.exitCode = await adapterCommand(dir2 === undefined ? [dir] : [dir, dir2], options);
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
  .option('--adapter <dir>', 'an adapter, as training writes it: runs/first/best')
  .option('--image <file>', 'a picture; several with several --image', collect)
  .option('--system <text>', "a system text in place of the template's own")
  .option('--max-new-tokens <n>', 'longest answer in tokens (default: 256)', Number)
  .option('--temperature <t>', 'draw instead of taking the likeliest; below 1 nearer to it', Number)
  .option('--top-k <k>', 'draw among the k likeliest tokens', Number)
  .option('--top-p <p>', 'draw among the fewest likeliest tokens that make up this probability', Number)
  .option('--seed <n>', 'draws come from it alone (default: 0)', Number)
  .option('--max-pixels <n>', 'scale pictures to this area, as image.maxPixels did in training', Number)
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
