import { type CitationKey, citations } from './methods/citations.ts';
import { progressOf } from './methods/known-run.ts';
import { asLatex, asMarkdown, citedBy, escapeMarkdown, type Prose, say } from './methods/prose.ts';
import { sentences } from './methods/sentences.ts';
import { trainerSentences } from './methods/trainer-sentences.ts';
import type { RunStory } from './run-story.ts';

export interface Methods {
  /** A paragraph and the list of its references. */
  markdown: string;
  /** The same paragraph with `\cite`. */
  latex: string;
  /** The entries that it cites. */
  bibtex: string;
}

/**
 * A methods paragraph, written from what the run did: a sentence for each thing that its files record, none for what
 * it did not do or measure.
 */
export function methodsOf(story: RunStory): Methods {
  const paragraph = sentencesFor(story)
    .flatMap((sentence): Prose[] => {
      const prose = sentence(story);
      return prose ? [prose] : [];
    })
    .flatMap((prose, i): Prose => (i === 0 ? prose : [' ', ...prose]));
  const keys = citedBy(paragraph);
  return {
    markdown: `${asMarkdown(paragraph)}\n${references(keys)}`,
    latex: `${asLatex(paragraph)}\n`,
    bibtex: keys.map((key) => `${citations[key].bibtex}\n`).join('\n'),
  };
}

function sentencesFor(story: RunStory) {
  if (story.source === 'huggingface') return trainerSentences;
  if (progressOf(story).step === 0)
    return [() => say`No optimizer step was done: there are no methods to report.`];
  return sentences;
}

function references(keys: readonly CitationKey[]): string {
  if (keys.length === 0) return '';
  const lines = keys.map((key) => `- ${escapeMarkdown(citations[key].reference)}\n`);
  return `\nReferences\n\n${lines.join('')}`;
}
