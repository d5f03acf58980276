import type { Command } from 'commander';

/** The words of `lorikeet train`. */
export function addTrain(program: Command): void {
  program
    .command('train')
    .summary('Train an adapter from a config file.')
    .description(
      'Trains an adapter from a config file and writes it, with the story of its training, to the output folder ' +
        'that the file names. Ctrl-C stops after the micro-batch under way and keeps a checkpoint to go on from.',
    )
    .usage('FILE [--set key=value ...] [--overwrite | --resume]')
    .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
    .option('--set <key=value...>', 'change words of the config: --set train.epochs=1 lora.rank=8')
    .option('--overwrite', 'replace the run that stands in the output folder')
    .option(
      '--resume [checkpoint]',
      'go on with the run that stands in the output folder, from its newest whole checkpoint or the one that is named',
    )
    .option('--from <run.json>', 'repeat the run of this record, in the place of a config file')
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
  lorikeet train vqa.yaml --resume
  lorikeet train --from runs/first/run.json --set output=runs/again
`,
    )
    .action(async (file: string | undefined, options) => {
      const { trainCommand } = await import('./train-command.ts');
      process.exitCode = await trainCommand(file, options);
    });
}
