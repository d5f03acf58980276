import { dirname } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { findingsOf } from '../report/findings.ts';
import { lossAndAccuracy } from '../report/glossary.ts';
import { type Methods, methodsOf } from '../report/methods.ts';
import { readRun } from '../report/read-run.ts';
import type { RunStory } from '../report/run-story.ts';
import { writeReport } from '../report/write-report.ts';
import { writeSlide } from '../report/write-slide.ts';
import { count, figure, percent, shortPath } from '../words.ts';

export interface ReportCommandOptions {
  out?: string;
  /** True where the option stands without a form. */
  methods?: string | true;
  /** True where the option stands without a folder. */
  slide?: string | true;
}

const forms: readonly (keyof Methods)[] = ['markdown', 'latex', 'bibtex'];

/**
 * Runs `lorikeet report`: writes the page, or prints the methods, or writes the slide; the page too where --out names
 * it beside them. What is printed for reading stands on stdout, where something went beside a printed paragraph on stderr.
 */
export async function reportCommand(run: string | undefined, options: ReportCommandOptions): Promise<number> {
  const { folder, methods, slide } = separateRun(run, options);
  const form = formOf(methods);
  const story = readRun(folder);
  const tell = (line: string) => (form ? process.stderr : process.stdout).write(`${line}\n`);
  if (form) process.stdout.write(methodsText(methodsOf(story), form));
  if (slide) {
    const files = await writeSlide(story, slide === true ? undefined : slide);
    tell(`Slide    ${files.map(shortPath).join('  ')}`);
  }
  if (options.out !== undefined || (!form && !slide)) {
    if (!form) tell(describeStory(story));
    const { page, plots } = await writeReport(story, options);
    tell(`Report   ${shortPath(page)}`);
    if (plots.length > 0)
      tell(`Plots    ${shortPath(dirname(plots[0]))}  (${count(plots.length, 'SVG file')})`);
  }
  return 0;
}

/** `--slide RUN` and `--methods RUN` take the run for their own word; it is the one that is no form of theirs. */
function separateRun(run: string | undefined, { methods, slide }: ReportCommandOptions) {
  if (run !== undefined) return { folder: run, methods, slide };
  if (typeof methods === 'string' && !isForm(methods))
    return { folder: methods, methods: true as const, slide };
  if (typeof slide === 'string') return { folder: slide, methods, slide: true as const };
  throw new LorikeetError('config', {
    what: 'a run folder expected, got none',
    fix: 'Name it: lorikeet report RUN, the folder that `output` of its config names.',
  });
}

function isForm(word: string): word is keyof Methods {
  return forms.some((form) => form === word);
}

function formOf(methods: string | true | undefined): keyof Methods | 'all' | undefined {
  if (methods === undefined || methods === true) return methods && 'all';
  if (isForm(methods)) return methods;
  throw new LorikeetError('config', {
    what: `--methods expected ${forms.join(', ')} or nothing, got ${JSON.stringify(methods)}`,
    fix: 'Without a form all three are printed, one after the other.',
  });
}

function methodsText(methods: Methods, form: keyof Methods | 'all'): string {
  if (form !== 'all') return methods[form];
  const headings = { markdown: 'Markdown', latex: 'LaTeX', bibtex: 'BibTeX' } as const;
  return forms.map((name) => `===== ${headings[name]} =====\n\n${methods[name]}`).join('\n');
}

/** What a terminal needs of it: how it ended, its last figures, what was found, what is missing. */
function describeStory(story: RunStory): string {
  const last = story.evaluations.at(-1);
  const accuracy =
    last?.tokenAccuracy === undefined ? '' : `, ${percent(last.tokenAccuracy)} of tokens right`;
  const lines = [
    `${story.name}: ${count(story.steps.length, 'step')} and ${count(story.evaluations.length, 'evaluation')} read, ${statusWords[story.status]}`,
    ...(last ? [`Step ${last.step}: validation loss ${figure(last.loss)}${accuracy}`] : []),
    ...(accuracy ? [lossAndAccuracy.short] : []),
    ...findingsOf(story).map(
      ({ title, evidence, suggestion }) => `\n* ${title}\n  ${evidence}\n  ${suggestion}`,
    ),
    ...listed('Missing', story.missing),
    ...listed('Unknown', story.unknown),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

const statusWords = {
  running: 'running when last written',
  finished: 'finished',
  stopped: 'stopped before its end',
  failed: 'failed',
  unknown: 'its end unknown',
};

function listed(heading: string, sentences: readonly string[]): string[] {
  return sentences.length === 0 ? [] : [`\n${heading}`, ...sentences.map((sentence) => `- ${sentence}`)];
}

/** A run folder from elsewhere must not move the cursor of who reads it. */
function printable(line: string): string {
  return line.replace(/[^\P{Cc}\n]/gu, '\ufffd');
}
