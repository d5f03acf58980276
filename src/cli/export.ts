import { type Command, Option } from 'commander';

/** The words of `lorikeet export`. */
export function addExport(program: Command): void {
  program
    .command('export')
    .summary('Write a model for transformers.js.')
    .description(
      'Writes a model, with an adapter merged into it or without, as the three ONNX graphs that transformers.js loads for ' +
        'Qwen2VLForConditionalGeneration, with their data, config, tokenizer and processor. The folder appears whole or not at all.',
    )
    .usage('--model DIR [--adapter DIR] --format onnx --output DIR [--dtype f32|f16]')
    .requiredOption('--model <dir>', 'the base: a folder in Hugging Face layout, or the id of a pulled model')
    .option('--adapter <dir>', 'an adapter to merge into it')
    .addOption(new Option('--format <format>', 'what to write').choices(['onnx']).makeOptionMandatory())
    .requiredOption('--output <dir>', 'the folder to write')
    .addOption(
      new Option('--dtype <type>', 'what the weights are stored as').choices(['f32', 'f16']).default('f32'),
    )
    .option('--overwrite', 'replace the model that stands in the output folder')
    .helpOption('-h, --help', 'Show this help.')
    .action(async (options) => {
      const { exportCommand } = await import('./export-command.ts');
      process.exitCode = await exportCommand(options);
    });
}
