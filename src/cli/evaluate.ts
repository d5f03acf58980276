import { type Command, Option } from 'commander';
import { numberOption } from './number-option.ts';

/** The words of `lorikeet evaluate`. */
export function addEvaluate(program: Command): void {
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
    .option('--max-new-tokens <n>', 'longest answer in tokens (default: 128)', numberOption)
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
      const { evaluateCommand } = await import('./evaluate-command.ts');
      process.exitCode = await evaluateCommand(file, options);
    });
}
