import type { Command } from 'commander';

/** The words of `lorikeet pull`. */
export function addPull(program: Command): void {
  program
    .command('pull')
    .summary('Fetch a model from the Hugging Face hub.')
    .description(
      'Fetches the files of a model that training needs into the cache that Python uses too (HF_HOME), and prints the ' +
        'folder. It is the one command that reaches the network. Ctrl-C keeps what arrived; the same command goes on from there.',
    )
    .usage('ORG/NAME [--revision REV]')
    .argument('[id]', 'the model as the hub calls it: Qwen/Qwen2-VL-2B-Instruct')
    .option('--revision <rev>', 'a branch, a tag or a commit; main without it')
    .helpOption('-h, --help', 'Show this help.')
    .addHelpText(
      'after',
      `
A config, or --model of a command, then names it:

  model: Qwen/Qwen2-VL-2B-Instruct

HF_TOKEN is the token for gated and private models, HF_ENDPOINT a mirror.
`,
    )
    .action(async (id: string | undefined, options) => {
      const { pullCommand } = await import('./pull-command.ts');
      process.exitCode = await pullCommand(id, options);
    });
}
