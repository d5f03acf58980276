/** What is wrong with a config, said so that it can be put right: all of it at once. */
import type { z } from 'zod';
import { meaningOf } from './habits.ts';
import type { Tree, TreePath } from './source.ts';
import { words as known, sections, wordsOf } from './words.ts';

export interface Problem {
  words: TreePath;
  what: string;
  fix?: string;
}

/** What the schema found, in our words. */
export function problemsOf(error: z.ZodError, tree: Tree): Problem[] {
  return error.issues.flatMap((issue) => {
    const words = issue.path as (string | number)[];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownWord(words, key));
    }
    return [badValue(issue, words, valueAt(tree, words))];
  });
}

function unknownWord(section: TreePath, key: string): Problem {
  const words = [...section, key];
  const what = `${words.join('.')} is not a word of the config`;
  return { words, what, fix: meaningOf(key, section.join('.')) };
}

function badValue(issue: z.core.$ZodIssue, words: TreePath, value: unknown): Problem {
  const name = words.join('.');
  const expected = expectation(issue, name);
  if (value === undefined) {
    const meaning = sections.has(name)
      ? sectionHint(name)
      : `It is needed: ${wordOf(name)?.description ?? expected}.`;
    return { words, what: `${name} is missing`, fix: meaning };
  }
  const fix = remedy(value, expected, name);
  return { words, what: `${name} expected ${expected}, got ${show(value)}`, fix };
}

const wordOf = (name: string) => known.find((word) => word.name === name);

function sectionHint(name: string): string {
  const inner = wordsOf(name);
  return `Its words stand in it, as in ${name}: { ${inner[0]}: ... }; it knows ${inner.join(', ')}.`;
}

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section of words',
};

function expectation(issue: z.core.$ZodIssue, name: string): string {
  switch (issue.code) {
    case 'invalid_type':
      return sections.has(name) ? kinds.object : (kinds[issue.expected] ?? issue.expected);
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'text that is not empty';
      if (issue.origin === 'array') return 'a list that is not empty';
      return issue.inclusive ? `at least ${issue.minimum}` : `a number above ${issue.minimum}`;
    case 'too_big':
      return issue.inclusive ? `at most ${issue.maximum}` : `a number below ${issue.maximum}`;
    case 'invalid_union':
      return 'a list of names or one text';
    default:
      return issue.message;
  }
}

function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `the list ${shorten(JSON.stringify(value))}`;
  if (typeof value === 'object') return 'a section of words';
  if (typeof value === 'string') return `the text ${shorten(JSON.stringify(value))}`;
  return String(value);
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function remedy(value: unknown, expected: string, name: string): string | undefined {
  if (value === null && !wordOf(name)?.isNeeded) {
    return 'Remove the line to get the default, or give it a value.';
  }
  if (sections.has(name)) return sectionHint(name);
  if (value === null) return `Give it a value: ${wordOf(name)?.description ?? expected}.`;
  if (typeof value !== 'string') return undefined;
  if (/number|at (least|most)/.test(expected) && value.trim() !== '' && Number.isFinite(Number(value))) {
    return `Write it without quotes: ${value}.`;
  }
  if (expected === kinds.boolean) return 'YAML 1.2 knows true and false, not yes, no, on and off.';
  return undefined;
}

export function valueAt(tree: Tree, words: TreePath): unknown {
  let value: unknown = tree;
  for (const word of words) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, word)) return undefined;
    value = (value as Tree)[word];
  }
  return value;
}

/** Words that are right by themselves but not together. */
export function contradictions(tree: Tree): Problem[] {
  const given = (name: string) => valueAt(tree, name.split('.')) !== undefined;
  const problems: Problem[] = [];
  const add = (name: string, what: string, fix: string) =>
    problems.push({ words: name.split('.'), what, fix });
  if (given('train.warmupSteps') && given('train.warmupRatio')) {
    add(
      'train.warmupRatio',
      'train.warmupSteps and train.warmupRatio both say how long to warm up',
      'Keep one.',
    );
  }
  if (given('lora') && given('full')) {
    add(
      'full',
      'lora and full exclude each other',
      'Keep lora to train an adapter, full to train parameters whole.',
    );
  }
  if (given('adapter') && given('full')) {
    const fix = 'Remove full to go on training the adapter, or adapter to train parameters whole.';
    add('full', 'adapter and full exclude each other', fix);
  }
  const [least, most] = ['minPixels', 'maxPixels'].map((word) => valueAt(tree, ['image', word]));
  if (typeof least === 'number' && typeof most === 'number' && least > most) {
    const what = `image.minPixels expected at most image.maxPixels ${most}, got ${least}`;
    add('image.minPixels', what, 'Lower it, or raise maxPixels.');
  }
  return [...problems, ...evaluationProblems(tree)];
}

/** Words about evaluations that would never come, or would not have what is asked of them. */
function evaluationProblems(tree: Tree): Problem[] {
  const given = (word: string) => valueAt(tree, ['train', word]);
  const problem = (word: string, what: string, fix: string): Problem => ({
    words: ['train', word],
    what,
    fix,
  });
  const needed = 'Name data.validation, or remove the word.';
  if (valueAt(tree, ['data', 'validation']) === undefined) {
    const waiting = ['evaluateAnswers', 'bestBy', 'patience'].filter((word) => given(word));
    return waiting.map((word) =>
      problem(word, `train.${word} is about evaluations, and there are none without data.validation`, needed),
    );
  }
  const problems: Problem[] = [];
  const bestBy = given('bestBy');
  if (typeof bestBy === 'string' && bestBy.startsWith('answers.') && !given('evaluateAnswers')) {
    const what = `train.bestBy ${show(bestBy)} expected answers, but train.evaluateAnswers is 0`;
    problems.push(
      problem('bestBy', what, 'Say how many rows are answered: train.evaluateAnswers: 64, for instance.'),
    );
  }
  if (given('patience') !== undefined && given('evaluateEvery') === 0) {
    const what = 'train.patience waits for evaluations, and train.evaluateEvery 0 has one alone, at the end';
    problems.push(problem('patience', what, 'Give train.evaluateEvery the steps between two evaluations.'));
  }
  return problems;
}
