import { describe, expect, it } from 'vitest';
import { citations } from '../../src/report/methods/citations.ts';
import {
  asLatex,
  asMarkdown,
  code,
  escapeLatex,
  escapeMarkdown,
  say,
} from '../../src/report/methods/prose.ts';
import { methodsOf } from '../../src/report/methods.ts';
import { readRun } from '../../src/report/read-run.ts';
import type { RunStory } from '../../src/report/run-story.ts';
import { type GeneratedRun, generatedRun, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const run = generatedRun();
const read = (changes: Partial<GeneratedRun> = {}): RunStory =>
  readRun(writeRun(temporaryFolder(), { ...run, ...changes }));
/** Of the whole run, through its folder. */
const whole = () => methodsOf(read());
const withRecord = (changes: object, events = run.events) =>
  read({ record: { ...run.record, ...changes }, events });
const withConfig = (section: 'train' | 'image', words: object) => {
  const resolved = run.record.config!.resolved;
  return withRecord({
    config: { given: {}, resolved: { ...resolved, [section]: { ...resolved[section], ...words } } },
  });
};
const keysOf = (bibtex: string) => [...bibtex.matchAll(/^@\w+\{(\w+),/gm)].map(([, key]) => key);

describe('the methods paragraph', () => {
  it('says that patience ended it, and what the answers were', () => {
    const given = {
      rows: 40,
      answers: 40,
      exactMatch: 0.5,
      interval: { low: 0.35, high: 0.65 },
      f1: 0.6,
      floor: 0.3,
      cut: 0,
      seconds: 1,
    };
    const events = run.events.map((event) => {
      if (event.type === 'evaluate') return { ...event, answers: given };
      if (event.type !== 'finish') return event;
      const best = { ...event.best!, metric: 'answers.f1' as const, value: 0.6 };
      return { ...event, best, stoppedEarly: { patience: 3, bestStep: 30 } };
    });
    const { markdown } = methodsOf(withRecord({ totalSteps: 200 }, events));
    expect(markdown).toContain(
      'Training ended after 60 of 200 optimizer steps of up to 16 rows, 3 epochs, when 3 evaluations in a row had not improved the token F1 of given answers on the validation data',
    );
    expect(markdown).toContain(
      'Of 40 validation rows that were asked at every evaluation, with greedy decoding, the answers at step 60 were right in 50.0 % (95 % interval 35.0 % to 65.0 %, clustered bootstrap)',
    );
    expect(markdown).toContain('would be right in 30.0 %');
  });

  it('says what the run did, with its numbers', () => {
    const { markdown } = whole();
    for (const words of [
      'Qwen2-VL (Wang et al., 2024), a vision-language transformer (Vaswani et al., 2017) with 2,208,985,600 parameters',
      'from the checkpoint `Qwen2-VL-2B-Instruct` (weights stored as BF16)',
      'of rank 16, alpha 32, scale $\\alpha / r$ = 2 and dropout 0 were trained on 56 linear modules (`q_proj, v_proj`)',
      '2,179,072 parameters in 112 tensors',
      'next-token cross-entropy (Bengio et al., 2003; Radford et al., 2018; Radford et al., 2019)',
      'System text, questions, role headers, image and padding tokens were masked.',
      '$\\mathcal{L} = -\\frac{1}{|M|} \\sum_{(i,t) \\in M} \\ln p_\\theta(x_{i,t} \\mid x_{i,<t})$',
      'weight decay 0.01 except on biases and norms. The learning rate was $10^{-4}$ at its highest, falling linearly to 0, without warm-up.',
      'Gradients were clipped to a global norm of 1.',
      'Training took 60 optimizer steps of up to 16 rows, 3 epochs; groups of up to 8 rows about the same pictures were shuffled anew for each epoch (seed 42).',
      'The training data were 320 rows about 160 pictures (1,920 of 92,800 tokens were labels), the validation data 24 rows',
      'No validation picture was found in the training data',
      'At step 60 the model had a loss of 0.577 (base: 2.000)',
      'an exact match of 31.5 % (base: 1.8 %) on the validation data.',
      'a gap of 0.050 (95 % interval 0.010 to 0.090, bootstrap over pictures)',
      'would cost 1.900 per content token, and guessing tokens uniformly 11.931',
      'The expected calibration error (Guo et al., 2017) over label tokens, in ten bins',
      'probability, was 0.040.',
      'computed in 32-bit floating point on the CPU (AMD EPYC)',
      'Lorikeet 0.1.0, ONNX Runtime 1.30.0, Node 20.20.0',
    ]) {
      expect(markdown).toContain(words);
    }
  });

  it('says the same in LaTeX, and brings the entries that it cites, no others', () => {
    const { markdown, latex, bibtex } = whole();
    expect(latex).toContain('\\texttt{q\\_proj, v\\_proj}');
    expect(latex).toContain('31.5\\,\\% (base: 1.8\\,\\%)');
    const cited = [...latex.matchAll(/\\cite\{([\w,]+)\}/g)].flatMap(([, keys]) => keys.split(','));
    expect(keysOf(bibtex)).toEqual(cited);
    expect(keysOf(bibtex)).toEqual([
      'wang2024qwen2vl',
      'vaswani2017attention',
      'hu2022lora',
      'bengio2003neural',
      'radford2018improving',
      'radford2019language',
      'liu2023visual',
      'loshchilov2019decoupled',
      'guo2017calibration',
    ]);
    expect(markdown.match(/^- /gm)).toHaveLength(9);
  });

  it('cites rank-stabilised scaling only where it was used', () => {
    const lora = { ...run.record.lora!, rslora: true, scale: 8 };
    const rslora = methodsOf(withRecord({ lora }));
    expect(rslora.markdown).toContain(
      'rank-stabilised scale $\\alpha / \\sqrt{r}$ (Kalajdzievski, 2023) = 8.000',
    );
    expect(keysOf(rslora.bibtex)).toContain('kalajdzievski2023rank');
  });

  it('of whole parameters names no adapter', () => {
    const { markdown, bibtex } = methodsOf(withRecord({ method: 'full', lora: undefined }));
    expect(markdown).toContain('Chosen parameters were trained whole: 2,179,072 parameters in 112 tensors');
    expect(markdown).not.toMatch(/LoRA|adapter/);
    expect(keysOf(bibtex)).not.toContain('hu2022lora');
  });

  it('says how the schedule, the clipping and the order were set', () => {
    const { markdown } = methodsOf(
      withConfig('train', {
        schedule: 'cosine',
        warmupRatio: 0.1,
        maxGradNorm: 0,
        weightDecay: 0,
        shuffle: false,
        learningRate: 5e-6,
      }),
    );
    expect(markdown).toContain(
      'and no weight decay. The learning rate was $5 \\times 10^{-6}$ at its highest, falling along half a cosine wave to 0 after 6 warm-up steps.',
    );
    expect(markdown).toContain('Gradients were not clipped.');
    expect(markdown).toContain('rows kept the order of their file');
    expect(methodsOf(withConfig('image', { maxPixels: 200_704 })).markdown).toContain(
      'at most 200,704 pixels',
    );
  });

  it('says that pictures stand in both splits', () => {
    const check = run.record.check!;
    const same = { pictures: 5, rows: 10, pairs: [] };
    const { markdown } = methodsOf(withRecord({ check: { ...check, shared: { ...check.shared!, same } } }));
    expect(markdown).toContain(
      '10 validation rows of 24 ask about pictures that also stand in the training data',
    );
    expect(markdown).not.toContain('No validation picture');
  });

  it('of a run that was stopped says so, and claims no epochs that it did not reach', () => {
    const events = run.events.slice(0, 14);
    const { markdown } = methodsOf(withRecord({ status: 'stopped', finish: undefined }, events));
    expect(markdown).toContain(
      'Training was stopped after 12 of 60 optimizer steps of up to 16 rows, in epoch 1 of the 3 that were set',
    );
    expect(markdown).toContain('At step 10 the model had');
    const failed = methodsOf(
      withRecord({ status: 'failed', finish: undefined, error: 'x' }, events),
    ).markdown;
    expect(failed).toContain('Training failed after 12 of 60');
    const going = methodsOf(withRecord({ status: 'running', finish: undefined }, events)).markdown;
    expect(going).toContain(
      'Training had done 12 of 60 optimizer steps of up to 16 rows when this was written',
    );
  });

  it('without validation data tells of no evaluation', () => {
    const { validation: _, ...data } = run.record.data!;
    const { check: __, ...record } = run.record;
    const events = run.events.filter(({ type }) => type === 'step');
    const { markdown, bibtex } = methodsOf(read({ record: { ...record, data }, events }));
    expect(markdown).toContain('there were no validation data');
    expect(markdown).not.toMatch(/accuracy|exact match|calibration|were scored|guessing/);
    expect(keysOf(bibtex)).not.toContain('guo2017calibration');
  });

  it('without a step says that there is nothing to report', () => {
    const { markdown, bibtex } = methodsOf(
      withRecord({ status: 'failed', finish: undefined }, run.events.slice(0, 1)),
    );
    expect(markdown).toBe('No optimizer step was done: there are no methods to report.\n');
    expect(bibtex).toBe('');
  });

  it('of 0.1.0, which kept less, takes what its config says, unless an adapter brought its own', () => {
    const { check: _c, base: _b, method: _m, lora: _l, ...record } = run.record;
    const events = run.events.filter(({ type }) => type !== 'baseline');
    const of = (config: object) => {
      const resolved = { ...record.config!.resolved, ...config };
      return methodsOf(read({ record: { ...record, config: { given: {}, resolved } }, events })).markdown;
    };
    const lora = { rank: 8, alpha: 16, dropout: 0.1, targetModules: ['q_proj'], rslora: false };
    expect(of({ lora })).toContain(
      'of rank 8, alpha 16, scale $\\alpha / r$ = 2 and dropout 0.1 were trained',
    );
    expect(of({ lora, adapter: '/earlier' })).not.toContain('of rank');
    expect(of({ lora })).toContain('320 rows with 160 images');
    expect(of({ lora })).toContain('were scored without dropout at 6 steps;');
  });

  it('leaves out what a record does not hold', () => {
    const story = { ...read(), record: { status: 'finished' as const, startedAt: '' } };
    const { markdown, latex } = methodsOf(story);
    expect(markdown).toMatch(/^We fine-tuned a vision-language model\. The loss was/);
    for (const text of [markdown, latex]) expect(text).not.toMatch(/undefined|NaN|null|\(\)/);
  });

  it('of a Trainer folder says what is recorded and what is not, and claims no loss', () => {
    const { markdown, bibtex } = methodsOf(
      readRun(new URL('../fixtures/trainer/', import.meta.url).pathname),
    );
    expect(markdown).toContain(
      'of `tiny-qwen2`, of rank 4, alpha 8 and dropout 0.05, were trained on the modules `q_proj, v_proj`',
    );
    expect(markdown).toContain("The Trainer's evaluation loss was 4.131 at step 12.");
    expect(markdown).toContain(
      'Not recorded in these files, and to be added by whoever knows: the tokens that the loss was computed on',
    );
    expect(markdown).not.toMatch(/cross-entropy|masked|AdamW/);
    expect(keysOf(bibtex)).toEqual(['hu2022lora']);
  });

  it('never promises more than was measured', () => {
    const { markdown, latex } = whole();
    expect(markdown + latex).not.toMatch(/medical|clinical|accurate\b|state.of.the.art|significant/i);
  });
});

/** What is left of LaTeX when all that is well formed is taken away: commands, escaped signs, formulas. */
function leftOver(latex: string): string {
  return latex
    .replace(/\\[{}$&#%_,]/g, '')
    .replace(/\$[^$]*\$/g, '')
    .replace(/\\(?:cite|texttt)\{/g, '{')
    .replace(/\\text[a-z]+\{\}/g, '')
    .replace(/\{\\char34\}/g, '')
    .replace(/-\{\}/g, '');
}

describe('names that are nasty', () => {
  const nasty =
    'a_b%c$d#e&f{g}h\\i^j~k<l>m|n"o`p--q\n\n\u0000\u202e\\input{/etc/passwd}$x$ `` [x](y) <script> *b* ';

  it('stand in LaTeX as text', () => {
    const { latex } = methodsOf(
      withRecord({ model: `/m/${nasty}`, platform: { ...run.record.platform!, cpu: nasty } }),
    );
    const left = leftOver(latex);
    expect(left).not.toMatch(/[\\$&#%_^~<>|"`\n\0](?!$)/);
    const depth = [...left].reduce((open, sign) => open + (sign === '{' ? 1 : sign === '}' ? -1 : 0), 0);
    expect(depth).toBe(0);
    expect(latex).not.toContain('\\input');
    expect(latex.trim()).not.toContain('\n');
    expect(escapeLatex('50 % of a_b')).toBe('50\\,\\% of a\\_b');
    expect(escapeLatex('a---b')).toBe('a-{}-{}-b');
  });

  it('stand in Markdown as text', () => {
    expect(escapeMarkdown('*a* _b_ [c](d) <e> `f` #g |h| ~i~ $j$ &k; !l\n# m')).toBe(
      '\\*a\\* \\_b\\_ \\[c\\](d) \\<e\\> \\`f\\` \\#g \\|h\\| \\~i\\~ \\$j\\$ \\&k; \\!l \\# m',
    );
    expect(asMarkdown(say`${code('a `` b`')}`)).toBe('``` a `` b` ```');
    expect(asMarkdown(say`${code('')}`)).toBe('`  `');
    const cpu = { ...run.record.platform!, cpu: nasty };
    const { markdown } = methodsOf(withRecord({ platform: cpu }));
    expect(markdown).toContain('\\<script\\> \\*b\\*');
    expect(markdown.split('\n\nReferences')[0]).not.toContain('\n');
  });
});

describe('the entries', () => {
  it('are whole BibTeX: braces in balance, ASCII, with author, title and year', () => {
    for (const [key, { bibtex, text, reference }] of Object.entries(citations)) {
      expect(bibtex.startsWith('@'), key).toBe(true);
      expect(bibtex.match(/\{/g)?.length, key).toBe(bibtex.match(/\}/g)?.length);
      expect(bibtex, key).toMatch(/^[\x20-\x7e\n]+$/);
      for (const field of ['author', 'title', 'year'])
        expect(bibtex, key).toMatch(new RegExp(`^  ${field} +=`, 'm'));
      const year = /year += \{(\d+)\}/.exec(bibtex)![1];
      expect(key, key).toContain(year);
      expect(text + reference, key).toContain(year);
    }
  });

  it('set a formula between dollars in both', () => {
    expect(asLatex(say`a ${{ formula: 'x_1' }} 5 % b`)).toBe('a $x_1$ 5\\,\\% b');
  });
});
