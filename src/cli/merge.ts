import { type Command, Option } from 'commander';

/** The words of `lorikeet merge`. */
export function addMerge(program: Command): void {
  program
    .command('merge')
    .summary('Write base and adapter as one model.')
    .description(
      'Writes base + adapter as a model of its own, in Hugging Face layout: files, names and types of the weights as the ' +
        'base has them, with its config, tokenizer and processor. The folder appears whole or not at all.',
    )
    .usage('--model DIR --adapter DIR --output DIR [--dtype same|f32|f16|bf16]')
    .requiredOption('--model <dir>', 'the base: a folder in Hugging Face layout, or the id of a pulled model')
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
      const { mergeCommand } = await import('./merge-command.ts');
      process.exitCode = await mergeCommand(options);
    });
}
