import type { Command } from 'commander';

/** The words of `lorikeet estimate`. */
export function addEstimate(program: Command): void {
  program
    .command('estimate')
    .summary('Say what a run will need: memory, disk, time.')
    .description(
      'Reads the data as a run would before its first step, of the model config.json and the headers of its weights, ' +
        'measures this machine for three seconds, and tells what the run will need and how it is cut to fit. The weights ' +
        'need not be there yet. Exits 0 where the run fits.',
    )
    .usage('FILE [--set key=value ...] [--json]')
    .argument('[file]', 'the config: YAML, or TypeScript through defineConfig')
    .option('--set <key=value...>', 'change words of the config: --set memory=8GB')
    .option('--json', 'print one JSON document and nothing else')
    .helpOption('-h, --help', 'Show this help.')
    .action(async (file: string | undefined, options) => {
      const { estimateCommand } = await import('./estimate-command.ts');
      process.exitCode = await estimateCommand(file, options);
    });
}
