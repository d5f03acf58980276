import { describe, expect, it } from 'vitest';
import { rasterize } from '../../src/data/image/render.ts';
import { sharp } from '../../src/data/image/sharp.ts';
import { readRun } from '../../src/report/read-run.ts';
import { slideOf } from '../../src/report/slide.ts';
import { type GeneratedRun, generatedRun, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const run = generatedRun();
const read = (changes: Partial<GeneratedRun> = {}) =>
  readRun(writeRun(temporaryFolder(), { ...run, ...changes }));
/** What a reader sees: the texts, without the style. */
const textsOf = (svg: string) =>
  svg
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');

describe('a slide', () => {
  it('says what was trained on what, with the loss, its mask and figures beside what they are held against', () => {
    const { svg, markdown } = slideOf(read());
    const texts = textsOf(svg);
    for (const words of [
      'Qwen2-VL-2B-Instruct, fine-tuned on 320 rows',
      'LoRA, rank 16, alpha 32',
      '2,179,072 parameters trained',
      '60 steps of 16 rows',
      'Validation data, step 60',
      'base 2.000',
      'base 13.5 %',
      '0.577',
      '1,920 of 92,800 training tokens (2.1 %)',
      '&lt;|im_end|&gt;',
      'Lorikeet 0.1.0',
    ]) {
      expect(texts).toContain(words);
    }
    expect(markdown).toContain('# Qwen2-VL-2B-Instruct, fine-tuned on 320 rows');
    expect(markdown).toContain('$$\\mathcal{L} = -\\frac{1}{|M|}');
    expect(markdown).toContain('| answer loss | 0.808 | base 2.800, guessing 1.900 |');
    expect(markdown).toContain('](slide.svg)');
  });

  it('becomes 1920 x 1080 pixels in literal light colours, with a plot in it', async () => {
    const { svg } = slideOf(read());
    expect(svg).not.toMatch(/var\(--|@media|url\(|href=|<script/);
    const png = await rasterize(svg, 1920);
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([1920, 1080]);
    const colours = new Map<string, number>();
    for (let i = 0; i < data.length; i += 3) {
      const colour = data.subarray(i, i + 3).toString('hex');
      colours.set(colour, (colours.get(colour) ?? 0) + 1);
    }
    const [[commonest, count]] = [...colours].sort((a, b) => b[1] - a[1]);
    expect(commonest).toBe('fbfaf7');
    expect(count / (1920 * 1080)).toBeGreaterThan(0.8);
    // The validation curve's orange and the trained boxes' blue-green.
    expect(colours.get('c2590c')).toBeGreaterThan(500);
    expect(colours.get('0b6b7a')).toBeGreaterThan(5000);
  });

  it('escapes what comes from the folder', () => {
    const nasty = '</text><script>alert(1)</script> & "q" *b* | c';
    const { svg, markdown } = slideOf(
      read({ record: { ...run.record, model: nasty.replaceAll('/', '\\') } }),
    );
    expect(svg).not.toContain('<script>');
    const table = slideOf({ ...read(), name: nasty }).svg;
    expect(table).toContain('&lt;script&gt;');
    expect(markdown).not.toMatch(/<script>/);
  });

  it('of a run that did not end says so, and of its pictures that stand in both splits', () => {
    const same = { pictures: 5, rows: 10, pairs: [] };
    const check = { ...run.record.check!, shared: { ...run.record.check!.shared!, same } };
    const { svg, markdown } = slideOf(
      read({
        record: { ...run.record, status: 'stopped', finish: undefined, check },
        events: run.events.slice(0, 14),
      }),
    );
    expect(textsOf(svg)).toContain('The run was stopped, after 12 of 60 steps.');
    expect(markdown).toContain('- 10 validation rows of 24 ask about pictures that also stand in training.');
    expect(textsOf(svg)).toContain('12 of 60 steps of 16 rows');
  });

  it('without validation shows the training loss at both ends', () => {
    const { markdown } = slideOf(read({ events: run.events.filter(({ type }) => type === 'step') }));
    expect(markdown).toMatch(/\| training loss, last 15 steps \| 0\.5\d\d \| first 15 steps 1\.\d{3} \|/);
  });

  it('of a Trainer folder claims no label rule', () => {
    const { svg, markdown } = slideOf(readRun(new URL('../fixtures/trainer/', import.meta.url).pathname));
    expect(textsOf(svg)).toContain('Not recorded in these files: which tokens the loss was computed on');
    expect(textsOf(svg)).toContain('Evaluation data, step 12');
    expect(svg + markdown).not.toMatch(/mathcal|im_end|trained on/);
  });

  it('of a run without a step is still a slide', async () => {
    const { svg, markdown } = slideOf(read({ events: [] }));
    expect(textsOf(svg)).toContain('No loss is recorded.');
    expect(svg + markdown).not.toMatch(/NaN|undefined/);
    await rasterize(svg, 960);
  });
});
