import type { Command } from 'commander';
import { numberOption } from './number-option.ts';

/** The words of `lorikeet ask`. */
export function addAsk(program: Command): void {
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
    .option('--model <dir>', 'the model: a folder in Hugging Face layout, or the id of a pulled one')
    .option(
      '--adapter <dir>',
      'an adapter, or the folder of a run, whose image and system settings then hold',
    )
    .option('--image <file>', 'a picture; several with several --image', collect)
    .option('--system <text>', "a system text in place of the template's own")
    .option('--max-new-tokens <n>', 'longest answer in tokens (default: 256)', numberOption)
    .option('--temperature <t>', 'draw instead of taking the likeliest; below 1 nearer to it', numberOption)
    .option('--top-k <k>', 'draw among the k likeliest tokens', numberOption)
    .option(
      '--top-p <p>',
      'draw among the fewest likeliest tokens that make up this probability',
      numberOption,
    )
    .option('--seed <n>', 'draws come from it alone (default: 0)', numberOption)
    .option(
      '--max-pixels <n>',
      "scale pictures to this area; without it the run's image.maxPixels, or the model's own",
      numberOption,
    )
    .option('--threads <n>', 'default: physical cores', numberOption)
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
      const { askCommand } = await import('./ask-command.ts');
      process.exitCode = await askCommand(question, options);
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
