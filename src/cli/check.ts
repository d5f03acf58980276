import type { Command } from 'commander';

/** The words of `lorikeet check`. */
export function addCheck(program: Command): void {
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
      const { checkCommand } = await import('./check-command.ts');
      process.exitCode = await checkCommand(file, options);
    });
}
