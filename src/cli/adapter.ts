import type { Command } from 'commander';

/** The words of `lorikeet adapter`. */
export function addAdapter(program: Command): void {
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
      const { adapterCommand } = await import('./adapter-command.ts');
      process.exitCode = await adapterCommand(dir2 === undefined ? [dir] : [dir, dir2], options);
    });
}
