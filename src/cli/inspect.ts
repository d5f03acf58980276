import { type Command, Option } from 'commander';

/** The words of `lorikeet inspect`. */
export function addInspect(program: Command): void {
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
      const { inspectCommand } = await import('./inspect-command.ts');
      process.exitCode = await inspectCommand(file, options);
    });
}
