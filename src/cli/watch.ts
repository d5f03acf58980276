import type { Command } from 'commander';

/** The words of `lorikeet watch`. */
export function addWatch(program: Command): void {
  program
    .command('watch')
    .summary('Show a run in a browser while it goes on.')
    .description(
      'Serves the report of a run folder on this machine alone, at 127.0.0.1, and keeps it up to date while the run goes ' +
        'on. It reads the folder and nothing else; Ctrl-C ends it and leaves the run alone.',
    )
    .usage('RUN [--port N]')
    .argument('[run]', 'the run folder: what `output` of the config names')
    .option('--port <n>', 'the port; 4747 without it, 0 takes any that is free')
    .helpOption('-h, --help', 'Show this help.')
    .action(async (run: string | undefined, options) => {
      const { watchCommand } = await import('./watch-command.ts');
      process.exitCode = await watchCommand(run, options);
    });
}
