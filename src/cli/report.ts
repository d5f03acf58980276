import type { Command } from 'commander';

/** The words of `lorikeet report`. */
export function addReport(program: Command): void {
  program
    .command('report')
    .summary('Write the report of a run: a page, a methods paragraph, a slide.')
    .description(
      'Reads a run folder, finished, crashed or still going, or an output folder of the Hugging Face Trainer, and writes one ' +
        'HTML page with its plots. The files of the run are not changed.',
    )
    .usage('RUN [--out FILE.html] [--methods [form]] [--slide [folder]]')
    .argument('[run]', 'the run folder: what `output` of the config names')
    .option('--out <file>', 'the page, with its plots beside it; report.html in the run folder without it')
    .option('--methods [form]', 'print a methods paragraph instead: markdown, latex, bibtex, or all three')
    .option(
      '--slide [folder]',
      'write one slide instead, as SVG, PNG and Markdown; into slide/ of the run without a folder',
    )
    .helpOption('-h, --help', 'Show this help.')
    .addHelpText(
      'after',
      `
Examples:

  lorikeet report runs/first
  lorikeet report runs/first --methods latex > methods.tex
  lorikeet report runs/first --slide talk/
`,
    )
    .action(async (run: string | undefined, options) => {
      const { reportCommand } = await import('./report-command.ts');
      process.exitCode = await reportCommand(run, options);
    });
}
