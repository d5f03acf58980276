/** The page of a run: what stands on it, what it leaves out, and that nothing from a run folder becomes markup. */
import { describe, expect, it } from 'vitest';
import { jsonData } from '../../../src/page/html.ts';
import { renderReport, reportPlots, reportSections } from '../../../src/report/page/report-page.ts';
import { lossByType, worstRows } from '../../../src/report/row-figures.ts';
import type { RunStory } from '../../../src/report/run-story.ts';
import { elementsOf } from '../../support/markup.ts';
import { makeStory } from '../story.ts';

const idsOf = (story: RunStory) => reportSections(story).map(({ id }) => id);

/** The text of a section, without markup. */
function textOf(story: RunStory, id: string): string {
  const found = reportSections(story).find((section) => section.id === id);
  return found ? elementsOf(found.html)[0].text : '';
}

const nothing: RunStory = {
  folder: '/runs/empty',
  name: 'empty',
  source: 'lorikeet',
  status: 'unknown',
  steps: [],
  evaluations: [],
  scores: { start: [], last: [] },
  picture: () => undefined,
  missing: [],
  unknown: [],
};

describe('the sections', () => {
  it('stand in one order, each an element of its own with its id', () => {
    const story = makeStory();
    expect(idsOf(story)).toEqual([
      'summary',
      'contents',
      'findings',
      'curves',
      'calibration',
      'rows',
      'worst',
      'types',
      'time',
      'sharing',
      'check',
      'decisions',
    ]);
    for (const { id, html } of reportSections(story)) {
      const [root] = elementsOf(html);
      expect([root.name, root.attributes.id]).toEqual(['section', id]);
      expect(html.trimEnd().endsWith('</section>')).toBe(true);
    }
    const page = elementsOf(renderReport(story));
    const ids = page.flatMap(({ attributes }) => attributes.id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { attributes } of page.filter(({ name }) => name === 'a'))
      expect(ids).toContain(attributes.href.slice(1));
  });

  it('say how often the run was interrupted, and from where it went on', () => {
    const story = makeStory();
    expect(textOf(story, 'summary')).not.toContain('Interrupted');
    const resumed = [200, 1350].map((step) => ({ at: '2026-01-01T00:00:00.000Z', step }));
    const told = textOf({ ...story, record: { ...story.record!, resumed } }, 'summary');
    expect(told).toContain('2 times, and gone on with after step 200, 1,350');
  });

  it('say where what the vision tower made of pictures came from', () => {
    const story = makeStory();
    expect(textOf(story, 'time')).not.toContain('Pictures');
    const pictures = { computed: 12, fromMemory: 3400, fromDisk: 5, replaced: 0 };
    const told = textOf({ ...story, finish: { ...story.finish!, pictures } }, 'time');
    expect(told).toContain('12 computed, 3,400 from memory, 5 from disk');
    const again = { ...pictures, replaced: 2 };
    expect(textOf({ ...story, finish: { ...story.finish!, pictures: again } }, 'time')).toContain(
      '12 computed, 2 in place of entries that could not be used, 3,400 from memory',
    );
  });

  it('are left out, or say why they are empty, where the run has nothing for them', () => {
    const story = { ...nothing, missing: ['run.json is not there.', 'metrics.jsonl is not there.'] };
    expect(idsOf(story)).toEqual(['summary', 'contents', 'missing', 'findings', 'curves', 'rows']);
    expect(textOf(story, 'missing')).toContain('metrics.jsonl is not there.');
    expect(textOf(story, 'curves')).toContain('No step and no evaluation was recorded.');
    expect(textOf(story, 'rows')).toContain('nothing to compare');
    expect(reportPlots(story)).toEqual([]);
    expect(elementsOf(renderReport(story)).length).toBeGreaterThan(10);
  });
});

/** The same run, answering 40 rows at every evaluation, and ended by patience. */
function answeringStory(): RunStory {
  const story = makeStory();
  const given = (step: number) => {
    const exactMatch = 0.3 + step / 2000;
    const interval = { low: exactMatch - 0.1, high: exactMatch + 0.1 };
    return {
      rows: 40,
      answers: 41,
      exactMatch,
      interval,
      f1: exactMatch + 0.05,
      floor: 0.352,
      cut: 0,
      seconds: 9,
    };
  };
  return {
    ...story,
    baseline: { ...story.baseline!, answers: given(0) },
    evaluations: story.evaluations.map((point) => ({ ...point, answers: given(point.step) })),
    finish: {
      ...story.finish!,
      totalSteps: 900,
      best: { step: 500, loss: 0.4, metric: 'answers.f1', value: 0.6 },
      stoppedEarly: { patience: 2, bestStep: 500 },
    },
  };
}

describe('given answers', () => {
  it('have a curve beside the floor, a figure in the summary, and a plot of their own', () => {
    const story = answeringStory();
    const curves = textOf(story, 'curves');
    expect(curves).toContain('Answers given');
    expect(curves).toContain('41 answers to 40 validation rows');
    expect(curves).toContain('the commonest training answer');
    expect(curves).toContain('never looks');
    expect(textOf(story, 'summary')).toMatch(/answered right60 %30 % before training, floor 35 %/);
    expect(reportPlots(story).map(({ name }) => name)).toContain('answers');
  });

  it('are nowhere in a run that gave none', () => {
    const story = makeStory();
    expect(reportPlots(story).map(({ name }) => name)).not.toContain('answers');
    expect(textOf(story, 'curves')).not.toContain('Answers given');
    expect(textOf(story, 'summary')).not.toContain('answered right');
  });
});

describe('a run that patience left', () => {
  it('says where it was best, by which figure, and that it ended early', () => {
    const text = textOf(answeringStory(), 'summary');
    expect(text).toContain(
      'It finished early: 600 of 900 steps in 57 min 00 s. The token F1 of given answers was best at step 500 and no better in 2 evaluations since (train.patience).',
    );
    expect(text).toContain('step 500, by token F1 of given answers 60.0 %');
  });
});

describe('what was shared', () => {
  const story = makeStory();
  const withSteps = (counts: object): RunStory => ({
    ...story,
    steps: story.steps.slice(0, 2).map((step) => ({ ...step, ...counts })),
  });

  it('tells rows, pictures and tokens of the steps that were done', () => {
    const text = textOf(withSteps({ rows: 16, pictures: 3, rowTokens: 6000, tokens: 1500 }), 'sharing');
    for (const words of [
      'trained on32',
      'in a step3.0',
      'samples12,000',
      '3,000, 75.0 % less',
      '4.00 times fewer',
    ])
      expect(text).toContain(words);
  });

  it('says where nothing was, and is left out where nobody counted', () => {
    const counts = { rows: 16, pictures: 0, rowTokens: 6000, tokens: 6000 };
    expect(textOf(withSteps(counts), 'sharing')).toContain('Nothing');
    expect(idsOf(withSteps({ rowTokens: undefined }))).not.toContain('sharing');
  });
});

describe('the summary', () => {
  it.each<[Partial<RunStory>, string]>([
    [{ status: 'finished' }, 'It finished: 600 of 600 steps in 57 min 00 s.'],
    [{ status: 'stopped', finish: undefined }, 'It was stopped after 600 of 600 steps in 52 min 00 s.'],
    [
      { status: 'unknown', finish: undefined },
      'Its files do not say whether it ended; they tell of 600 of 600 steps',
    ],
  ])('of %o says how the run ended', (changes, sentence) => {
    expect(textOf({ ...makeStory(), ...changes }, 'summary')).toContain(sentence);
  });

  it('shows the error of a run that failed', () => {
    const story = makeStory();
    const record = { ...story.record!, error: 'step 87: loss expected a number, got <NaN>' };
    const text = textOf({ ...story, status: 'failed', finish: undefined, record }, 'summary');
    expect(text).toContain('It failed after 600 of 600 steps');
    expect(text).toContain('step 87: loss expected a number, got <NaN>');
  });

  it('says how far a run has come that goes on', () => {
    // 150 steps of 5.2 s are done and 450 are left.
    const text = textOf(makeStory({ done: 150 }), 'summary');
    expect(text).toContain('still going: 150 of 600 steps in 13 min 00 s, about 39 min 00 s left.');
  });

  it('puts the figures at the end above those before training', () => {
    const story = makeStory();
    const text = textOf(story, 'summary');
    expect(text).toContain(
      `${story.evaluations.at(-1)!.loss.toFixed(3)}${story.baseline!.loss.toFixed(3)} before training`,
    );
    expect(text).toContain('Loss says how sure the model was');
  });
});

describe('the curves', () => {
  it('stand beside chance and a legend that judges nothing', () => {
    const text = textOf(makeStory(), 'curves');
    // Labels are wrapped: between their lines stands nothing.
    expect(text).toMatch(/guessing from the training ?answers 1\.92/);
    expect(text).toMatch(/↑ every word alike, ln V ?11\.9/);
    // exp(-3) = 0.0498, exp(-1.5) = 0.2231, exp(-0.8) = 0.4493, exp(-0.5) = 0.6065
    for (const row of [
      'above 3below 5 %',
      '1.5 to 35 % to 22 %',
      '0.8 to 1.522 % to 45 %',
      '0.5 to 0.845 % to 61 %',
    ])
      expect(text).toContain(row);
    expect(text).toContain('below 0.5above 61 %');
    expect(text).not.toMatch(/\b(good|bad|poor|excellent|acceptable)\b/i);
  });

  it.each([
    [0.25, 0.21, 0.3, 'all above'],
    [0.1, 0.05, 0.19, 'all below'],
    [0.2, 0.1, 0.3, 'on both sides of'],
  ])('say where a gap of %d (%d to %d) lies', (value, low, high, side) => {
    const story = makeStory();
    story.evaluations.at(-1)!.gap = { value, low, high };
    expect(textOf(story, 'curves')).toContain(`lies ${side} the threshold of 0.2.`);
  });

  it('draw the line above which gradients were clipped where it is known', () => {
    expect(textOf(makeStory(), 'curves')).toContain('clipped above 1');
    const story = makeStory();
    delete story.record!.config;
    expect(textOf(story, 'curves')).not.toContain('clipped above');
  });

  it('of a Trainer folder are those that it has, under what is unknown', () => {
    const story: RunStory = {
      ...nothing,
      source: 'huggingface',
      adapterConfig: {
        base_model_name_or_path: 'Qwen/Qwen2-VL-2B',
        r: 8,
        target_modules: ['q_proj', 'v_proj'],
      },
      steps: [10, 20, 30].map((step) => ({ step, loss: 3 - step / 20, gradNorm: 2, learningRate: 1e-4 })),
      evaluations: [{ step: 30, loss: 1.75 }],
      unknown: ['Which tokens the loss was computed on.', 'What it was averaged over.'],
    };
    expect(idsOf(story)).toEqual(['summary', 'contents', 'unknown', 'findings', 'curves', 'rows']);
    expect(textOf(story, 'summary')).toContain('Targetsq_proj, v_proj');
    expect(textOf(story, 'unknown')).toMatch(/Which tokens.*What it was averaged/s);
    expect(reportPlots(story).map(({ name }) => name)).toEqual(['loss', 'gradient-norm']);
    const [loss] = reportPlots(story);
    expect(loss.svg).toContain('As the Trainer logged it.');
    expect(loss.svg).not.toContain('nats');
  });
});

describe('the rows', () => {
  const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]);
  const cardsOf = (story: RunStory, id: string) =>
    elementsOf(reportSections(story).find((section) => section.id === id)!.html).filter(
      ({ name }) => name === 'article',
    );

  it('are the same held-out ones at the start and the end, twelve at most, those with a picture first', () => {
    const story = makeStory({ picture: jpeg });
    const cards = cardsOf(story, 'rows');
    expect(cards).toHaveLength(12);
    // Every fourth row is a training row; the first eight have pictures.
    const rows = cards.map(({ text }) => Number(/row (\d+)/.exec(text)![1]));
    expect(rows).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]);
    const images = elementsOf(renderReport(story)).filter(({ name }) => name === 'img');
    expect(images.length).toBeGreaterThanOrEqual(6);
    expect(images[0].attributes.src).toBe(`data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`);
  });

  it('are not compared where their tokens differ or nothing was trained between', () => {
    const story = makeStory({ rows: 3 });
    story.scores.start[1].tokens[0].text = 'Three';
    story.scores.start[2].step = story.scores.last[2].step;
    expect(cardsOf(story, 'rows').map(({ text }) => /row (\d+)/.exec(text)![1])).toEqual(['0']);
  });

  it('show their mean loss and what each token cost', () => {
    const story = makeStory({ rows: 1 });
    const mean = (tokens: { loss: number }[]) =>
      tokens.reduce((sum, { loss }) => sum + loss, 0) / tokens.length;
    const [card] = cardsOf(story, 'rows');
    const [before, after] = [story.scores.start[0], story.scores.last[0]].map(({ tokens }) =>
      mean(tokens).toFixed(2),
    );
    expect(card.text).toContain(`loss ${before} → ${after}`);
    expect(card.text).toContain('Is there a polyp?');
  });

  it('are the worst ones in their order', () => {
    const story = makeStory();
    const held = story.scores.last.filter(({ split }) => split === 'validation');
    const expected = worstRows(held, 10).map(({ score, loss }) => [score.row, loss.toFixed(2)]);
    const shown = cardsOf(story, 'worst').map(({ text }) => {
      const [, row, loss] = /row (\d+).*?loss (\d+\.\d\d)/s.exec(text)!;
      return [Number(row), loss];
    });
    expect(shown).toEqual(expected);
  });

  it.each<[string, Uint8Array | undefined]>([
    ['is not there', undefined],
    ['is no JPEG', Uint8Array.from(Buffer.from('<svg onload="x">'))],
    ['is too large', Uint8Array.from([0xff, 0xd8, 0xff, ...new Array(200_000).fill(0)])],
  ])('stand without a picture that %s', (_, picture) => {
    const story = makeStory({ picture: jpeg });
    story.picture = () => picture;
    expect(elementsOf(renderReport(story)).filter(({ name }) => name === 'img')).toEqual([]);
    expect(cardsOf(story, 'rows')[0].text).toContain('images/case-0.jpg');
  });

  it('are cut where they are long, and say so', () => {
    const story = makeStory({ rows: 1 });
    for (const row of [story.scores.start[0], story.scores.last[0]]) {
      row.question = 'why '.repeat(1000);
      row.tokens = Array.from({ length: 400 }, () => row.tokens[0]);
    }
    const [card] = cardsOf(story, 'rows');
    expect(card.text).toContain('and 250 tokens more');
    expect(card.text).toContain('(3400 more characters)');
  });
});

describe('question types', () => {
  it('have their rows counted, and no section where the data has none', () => {
    const story = makeStory();
    const held = story.scores.last.filter(({ split }) => split === 'validation');
    for (const { type, rows, tokens } of lossByType(held))
      expect(textOf(story, 'types')).toContain(`${type}${rows}${tokens}`);
    expect(idsOf(makeStory({ types: false }))).not.toContain('types');
    expect(reportPlots(makeStory({ types: false })).map(({ name }) => name)).not.toContain('loss-by-type');
  });
});

describe('calibration', () => {
  it('stands beside what loss and accuracy each say', () => {
    const text = textOf(makeStory(), 'calibration');
    for (const number of ['0.05', '0.51', '0.8', '1.61', 'finite']) expect(text).toContain(number);
  });
});

describe('data and decisions', () => {
  it('are told line by line, with what was left out', () => {
    const story = makeStory();
    story.record!.skipped = [{ split: 'train', row: 7, reason: 'the picture <b> is cut off' }];
    expect(textOf(story, 'check')).toContain('Rows3,200 to train on, 160 to validate on');
    expect(textOf(story, 'check')).toContain('train row 7: the picture <b> is cut off');
    const text = textOf(story, 'decisions');
    for (const { what, reason } of story.record!.decisions!) {
      expect(text).toContain(what);
      expect(text).toContain(reason);
    }
  });
});

describe('a page that is live', () => {
  it('takes what its server adds and keeps the sections that the server will replace', () => {
    const story = makeStory({ done: 100 });
    const live = { styles: '.live{}', scripts: ['let live = 1;'], head: jsonData('live-start', { a: 1 }) };
    const page = renderReport(story, { live });
    for (const { html } of reportSections(story)) expect(page).toContain(html);
    expect(page).toContain('<script>let live = 1;</script>');
    expect(page).toContain('.live{}');
    expect(page).toContain('id="live-start"');
    expect(page).toContain('connect-src &#39;self&#39;');
    expect(renderReport(story)).not.toContain('connect-src');
  });
});

describe('what a run folder holds', () => {
  const nasty = `</script></style></title>--><img src=x onerror="x()">'"&\u202e\0]]>`;

  /** Every text of the story that is not one of our own words. */
  function spoiled<T>(value: T, key = ''): T {
    const kept = ['type', 'kind', 'split', 'status', 'source', 'method', 'picture', 'schedule'];
    if (typeof value === 'string') return (kept.includes(key) ? value : `${value}${nasty}`) as T;
    if (Array.isArray(value)) return value.map((item) => spoiled(item)) as T;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, spoiled(item, name)])) as T;
  }

  it('never becomes an element or an attribute of the page or of a plot', () => {
    const story = makeStory({ picture: Uint8Array.from([0xff, 0xd8, 0xff, 0xe0]) });
    story.record!.error = 'error';
    story.record!.skipped = [{ split: 'train', row: 7, reason: 'reason' }];
    story.missing = ['missing'];
    story.unknown = ['unknown'];
    const bad = spoiled(story);
    for (const row of [...bad.scores.start, ...bad.scores.last]) row.type += nasty;
    const shape = (page: string) =>
      elementsOf(page).map(({ name, attributes }) => [name, ...Object.keys(attributes)].join(' '));
    const markup = renderReport(bad);
    expect(new Set(shape(markup))).toEqual(new Set(shape(renderReport(story))));
    for (const { attributes } of elementsOf(markup)) {
      if (attributes.src) expect(attributes.src).toMatch(/^data:image\/jpeg;base64,[\w+/=]+$/);
      if (attributes.href) expect(attributes.href).toMatch(/^#[a-z]+$/);
    }
    expect(markup).toContain('&lt;img src=x onerror=&quot;x()&quot;&gt;');
    const plots = reportPlots(bad);
    reportPlots(story).forEach(({ svg }, at) => {
      expect(new Set(shape(plots[at].svg))).toEqual(new Set(shape(svg)));
    });
  });
});

describe('a long run', () => {
  it('of 10,000 steps and 50,000 validation tokens is a page well under 5 MB', () => {
    const story = makeStory({ steps: 10_000, evaluations: 200, rows: 9000, overfits: true });
    const held = story.scores.last.filter(({ split }) => split === 'validation');
    expect(held.reduce((sum, { tokens }) => sum + tokens.length, 0)).toBeGreaterThan(50_000);
    expect(renderReport(story).length).toBeLessThan(1_500_000);
    for (const { svg } of reportPlots(story)) expect(svg.length).toBeLessThan(200_000);
  });
});
