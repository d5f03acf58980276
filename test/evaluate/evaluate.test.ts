import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { openDataset } from '../../src/data/dataset.ts';
import { describeEvaluation } from '../../src/evaluate/describe.ts';
import { type EvaluatedEvent, type EvaluationEvent, evaluate } from '../../src/evaluate/evaluate.ts';
import { type EvaluateOptions, planEvaluation } from '../../src/evaluate/plan.ts';
import type { Prediction } from '../../src/evaluate/prediction.ts';
import { Engine } from '../../src/generate/engine.ts';
import { compileStep } from '../../src/train/compile.ts';
import { createEncoder, encoderSettings } from '../../src/train/encoder.ts';
import { run } from '../../src/train/run.ts';
import { inProcess, tinyRows, tinyRun } from '../train/tiny-run.ts';

interface Told {
  events: EvaluationEvent[];
  evaluated: EvaluatedEvent;
}

async function told(folder: string, options: EvaluateOptions = {}, set: string[] = []): Promise<Told> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: EvaluationEvent[] = [];
  for await (const event of evaluate(config, { maxNewTokens: 6, ...options })) events.push(event);
  return { events, evaluated: events.at(-1) as EvaluatedEvent };
}

/** A data file beside the others. */
function withTest(folder: string, rows: object[]): string[] {
  writeFileSync(join(folder, 'test.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return ['data.test=test.jsonl'];
}

async function trained(folder: string): Promise<void> {
  const config = await loadConfig(join(folder, 'config.yaml'));
  for await (const _ of run(config, inProcess));
}

describe('an evaluation', () => {
  it('has the losses of training evaluations and the answers that questions get alone', async () => {
    const folder = tinyRun();
    const { evaluated } = await told(folder, { split: 'train', adapter: 'base' });
    const { predictions, scorecard } = evaluated;
    const { config } = await loadConfig(join(folder, 'config.yaml'));
    const step = await compileStep({ modelDir: config.model, recompute: false, threads: 1, seed: 1 });
    const encoder = await createEncoder(encoderSettings(config));
    const dataset = await openDataset(config.data.train, { name: 'train' });
    const engine = await Engine.open({ model: config.model, threads: 1 });
    let nats = 0;
    let tokens = 0;
    for (const [i, { image, question, answer }] of tinyRows.entries()) {
      const [{ losses }] = await step.evaluate([await encoder.load(await dataset.example(i))]);
      const loss = losses.reduce((sum, value) => sum + value, 0);
      nats += loss;
      tokens += losses.length;
      const path = join(folder, image);
      const [alone] = await engine.answer([{ question, image: path, maxNewTokens: 6 }]);
      const prediction = predictions[i];
      expect(prediction).toMatchObject({ row: i, turn: 0, question, expected: answer, images: [image] });
      expect(prediction.predicted).toBe(alone.text);
      expect(prediction.loss).toBeCloseTo(loss, 3);
      const probability = Math.exp(alone.logProbabilities.reduce((sum, value) => sum + value, 0));
      expect(prediction.probability).toBeCloseTo(probability, 5);
      expect(prediction.tokens).toBe(losses.length);
      expect(prediction.characters).toBe(answer.length);
    }
    expect(scorecard.overall.loss!.perToken.value).toBeCloseTo(nats / tokens, 4);
    expect(scorecard).toMatchObject({ split: 'train', rows: 5, answers: 5, pictures: 2, clusters: 2 });
    expect(scorecard.answersComputed).toBe(10);
    await step.close();
    await engine.close();
  });

  it('asks the same about other pictures, and gets what asking so gives', async () => {
    const folder = tinyRun();
    const { evaluated } = await told(folder, { split: 'train', adapter: 'base' });
    const engine = await Engine.open({ model: join(folder, 'model'), threads: 1 });
    for (const { images, question, shuffled } of evaluated.predictions) {
      expect(shuffled!.images).toEqual([images[0] === 'a.png' ? 'b.png' : 'a.png']);
      const image = join(folder, shuffled!.images[0]);
      const [alone] = await engine.answer([{ question, image, maxNewTokens: 6 }]);
      expect(shuffled!.predicted).toBe(alone.text);
    }
    await engine.close();
    expect(evaluated.scorecard.imageTest).toMatchObject({ answers: 5 });
  });

  it('agrees with what the run itself wrote down about its last evaluation', async () => {
    const folder = tinyRun();
    await trained(folder);
    const lines = readFileSync(join(folder, 'run/metrics.jsonl'), 'utf8').trim().split('\n');
    const last = lines.map((line) => JSON.parse(line)).findLast(({ type }) => type === 'evaluate');
    const { evaluated } = await told(folder, { adapter: join(folder, 'run') });
    expect(evaluated.scorecard.overall.loss!.perToken.value).toBeCloseTo(last.loss, 5);
    expect(evaluated.scorecard.model.adapter).toBe(join(folder, 'run/adapter'));
  });

  it('scores the best adapter of its own run, keeps it there, and compares it with the base', async () => {
    const folder = tinyRun();
    await trained(folder);
    const { evaluated, events } = await told(folder, { against: 'base' });
    const { scorecard, predictions } = evaluated;
    expect(evaluated.folder).toBe(join(folder, 'run/evaluation-validation'));
    expect(scorecard.model).toMatchObject({
      adapter: join(folder, 'run/best'),
      reason: "best/ of this config's run",
    });
    expect(scorecard.against!.model).toMatchObject({ adapter: null });
    const base = await told(folder, { adapter: 'base', out: join(folder, 'base') });
    for (const [i, { against }] of predictions.entries()) {
      expect(against!.predicted).toBe(base.evaluated.predictions[i].predicted);
      expect(against!.loss).toBeCloseTo(base.evaluated.predictions[i].loss!, 5);
    }
    expect(readdirSync(evaluated.folder).sort()).toEqual(['evaluation.json', 'predictions.jsonl']);
    const kept = readFileSync(join(evaluated.folder, 'predictions.jsonl'), 'utf8').trim().split('\n');
    expect(kept.map((line) => JSON.parse(line))).toEqual(predictions);
    expect(JSON.parse(readFileSync(join(evaluated.folder, 'evaluation.json'), 'utf8'))).toEqual(scorecard);
    const answering = events.filter((event) => event.type === 'answering');
    expect(answering.at(-1)).toMatchObject({ answers: 6, totalAnswers: 6 });
    // The next run in the folder does not keep figures of the last one.
    const config = await loadConfig(join(folder, 'config.yaml'));
    for await (const _ of run(config, { ...inProcess, overwrite: true }));
    expect(readdirSync(join(folder, 'run'))).not.toContain('evaluation-validation');
  });

  it('scores the whole model that full fine-tuning leaves', async () => {
    const folder = tinyRun({ train: { maxSteps: 1, evaluateStart: false } });
    const file = join(folder, 'config.yaml');
    const words = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...words, full: { parameters: ['norm.weight'] } }));
    await trained(folder);
    const { scorecard, folder: kept } = (await told(folder, { split: 'train' })).evaluated;
    expect(scorecard.model).toMatchObject({ model: join(folder, 'run/best'), adapter: null });
    expect(kept).toBe(join(folder, 'run/evaluation-train'));
  });

  it('stands beside the output where no run is scored, so that one can start there', async () => {
    const folder = tinyRun();
    const { evaluated } = await told(folder);
    expect(evaluated.folder).toBe(join(folder, 'run-evaluation-validation'));
    expect(evaluated.scorecard.model.reason).toBe('nothing is trained yet');
    const again = await told(folder);
    expect(again.evaluated.predictions).toEqual(evaluated.predictions);
  });

  it('asks for every answer of a conversation', async () => {
    const folder = tinyRun();
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'How many?' }] },
      { role: 'assistant', content: 'Two.' },
      { role: 'user', content: 'Where?' },
      { role: 'assistant', content: 'In the corner.' },
    ];
    const set = withTest(folder, [{ messages, images: ['a.png'] }]);
    const { predictions, scorecard } = (await told(folder, {}, set)).evaluated;
    expect(scorecard).toMatchObject({ split: 'test', rows: 1, answers: 2 });
    expect(predictions.map(({ turn, question, expected }) => [turn, question, expected])).toEqual([
      [0, 'How many?', 'Two.'],
      [1, 'Where?', 'In the corner.'],
    ]);
    expect(predictions.every(({ loss }) => loss! > 0)).toBe(true);
    expect(scorecard.imageTest).toBeUndefined();
    expect(describeEvaluation(scorecard).join('\n')).toContain('not tested: no picture could be exchanged');
  });

  it('counts answers that never end', async () => {
    const { scorecard, predictions } = (await told(tinyRun(), { maxNewTokens: 1 })).evaluated;
    const cut = predictions.filter(({ finish }) => finish === 'length').length;
    expect(cut).toBeGreaterThan(0);
    expect(scorecard.cut).toBe(cut);
    expect(describeEvaluation(scorecard).join('\n')).toMatch(
      /^Cut +\d of 2 answers had not ended after 1 token /m,
    );
  });

  it('asks all of many questions about one picture, and leaves it out for all where it cannot be read', async () => {
    const folder = tinyRun();
    const rows = Array.from({ length: 70 }, (_, i) => ({ ...tinyRows[0], question: `Question ${i}?` }));
    const set = withTest(folder, [...rows, tinyRows[1]]);
    const { predictions } = (await told(folder, { maxNewTokens: 1 }, set)).evaluated;
    expect(predictions.map(({ row }) => row)).toEqual(Array.from({ length: 71 }, (_, i) => i));
    expect(predictions.every(({ shuffled, loss }) => shuffled && loss! > 0)).toBe(true);
    writeFileSync(join(folder, 'b.png'), 'no picture');
    const { scorecard } = (await told(folder, { maxNewTokens: 1 }, set)).evaluated;
    expect(scorecard).toMatchObject({ rows: 70, answers: 70, answersComputed: 70, lost: [{ row: 70 }] });
    expect(scorecard.imageTest).toBeUndefined();
  });

  it('goes on without a picture that cannot be read, and names its rows', async () => {
    const folder = tinyRun();
    writeFileSync(join(folder, 'c.png'), 'no picture');
    const set = withTest(folder, [...tinyRows, { ...tinyRows[0], image: 'c.png' }]);
    const { events, evaluated } = await told(folder, {}, set);
    expect(events.filter(({ type }) => type === 'lost')).toEqual([
      { type: 'lost', row: 5, reason: expect.stringContaining('c.png') },
    ]);
    const { scorecard, predictions } = evaluated;
    expect(scorecard.lost.map(({ row }) => row)).toEqual([5]);
    expect(predictions.map(({ row }) => row)).toEqual([0, 1, 2, 3, 4]);
    expect(describeEvaluation(scorecard).join('\n')).toMatch(/^Lost +1 row could not be scored/m);
    expect(scorecard).toMatchObject({ rows: 5, pictures: 2 });
    // The lost row alone asks its question of another picture, and it is in no figure.
    expect(predictions[0].shuffled).toMatchObject({ rightElsewhere: null });
    const strict = told(folder, {}, [...set, 'data.onBadRow=stop']);
    await expect(strict).rejects.toMatchObject({ code: 'image', place: { row: 5 } });
  });

  describe('that ends too soon', () => {
    /** 40 rows about as many pictures, so that they are answered in two batches. */
    function manyPictures(): string {
      const rows = Array.from({ length: 40 }, (_, i) => ({ ...tinyRows[i % 5], image: `${i}.png` }));
      const folder = tinyRun({ rows });
      rows.forEach(({ image }, i) => {
        copyFileSync(join(folder, i % 2 === 0 ? 'a.png' : 'b.png'), join(folder, image));
      });
      return folder;
    }

    const readUnfinished = (folder: string) => {
      const place = join(folder, 'run-evaluation-train-unfinished');
      const lines = readFileSync(join(place, 'predictions.jsonl'), 'utf8').trim().split('\n');
      const predictions: Prediction[] = lines.map((line) => JSON.parse(line));
      return { place, predictions, card: JSON.parse(readFileSync(join(place, 'evaluation.json'), 'utf8')) };
    };

    /** Whatever came before the end, and what was thrown. */
    async function passing(folder: string, options: EvaluateOptions, set: string[] = [], leaveAt = Infinity) {
      const config = await loadConfig(join(folder, 'config.yaml'), { set });
      const events: EvaluationEvent[] = [];
      const run = async () => {
        for await (const event of evaluate(config, { split: 'train', maxNewTokens: 2, ...options })) {
          events.push(event);
          if (events.length === leaveAt) break;
        }
      };
      const error = await run().catch((error) => error);
      return { events, error };
    }

    it('keeps what was answered before a picture that cannot be read, and says where', async () => {
      const folder = manyPictures();
      writeFileSync(join(folder, '37.png'), 'no picture');
      const { events, error } = await passing(folder, {}, ['data.onBadRow=stop']);
      expect(error).toMatchObject({ code: 'image', place: { row: 37 } });
      const { place, predictions, card } = readUnfinished(folder);
      // The first batch: rows weigh half as much again where another picture's questions come with them.
      expect(predictions.map(({ row }) => row)).toEqual(Array.from({ length: 22 }, (_, i) => i));
      expect(predictions.every(({ predicted, loss }) => typeof predicted === 'string' && loss! > 0)).toBe(
        true,
      );
      const answers = 22 + predictions.filter(({ shuffled }) => shuffled).length;
      const unfinished = { reason: error.message, answers, totalAnswers: 80 };
      expect(events.at(-1)).toEqual({ type: 'unfinished', ...unfinished, folder: place });
      expect(card).toMatchObject({ unfinished, split: 'train', model: { adapter: null } });
      expect(existsSync(join(folder, 'run-evaluation-train'))).toBe(false);
    });

    it('keeps what was answered when it was stopped, and what is there from before', async () => {
      const folder = manyPictures();
      const whole = await passing(folder, {});
      const kept = join(folder, 'run-evaluation-train/predictions.jsonl');
      const before = readFileSync(kept, 'utf8');
      const stop = new AbortController();
      const config = await loadConfig(join(folder, 'config.yaml'));
      const events: EvaluationEvent[] = [];
      const options = { split: 'train', maxNewTokens: 2, against: 'base', signal: stop.signal } as const;
      for await (const event of evaluate(config, options)) {
        events.push(event);
        // 32 of the other model's answers are there.
        if (event.type === 'answering' && event.answers === 80 + 32) stop.abort();
      }
      expect(events.at(-1)).toMatchObject({
        type: 'unfinished',
        reason: 'it was stopped',
        totalAnswers: 120,
      });
      const { predictions, place } = readUnfinished(folder);
      expect(predictions).toHaveLength(40);
      expect(predictions.filter(({ against }) => against).map(({ row }) => row)).toEqual(
        Array.from({ length: 32 }, (_, i) => i),
      );
      const { predictions: all } = whole.events.at(-1) as EvaluatedEvent;
      expect(predictions.map(({ against: _, ...own }) => own)).toEqual(all);
      expect(readFileSync(kept, 'utf8')).toBe(before);
      // One that comes to its end needs no half of an earlier one.
      await passing(folder, {});
      expect(existsSync(place)).toBe(false);
    });

    it('keeps what was answered where nobody waits for more', async () => {
      const folder = manyPictures();
      const { error } = await passing(folder, {}, [], 1);
      expect(error).toBeUndefined();
      const { predictions, card } = readUnfinished(folder);
      expect(predictions).toHaveLength(22);
      expect(card.unfinished.reason).toBe('nobody waited for its end');
    });

    it('goes with the run that is overwritten', async () => {
      const folder = tinyRun();
      await trained(folder);
      const { events } = await passing(folder, {}, [], 1);
      expect(events[0]).toMatchObject({ type: 'answering' });
      expect(readdirSync(join(folder, 'run'))).toContain('evaluation-train-unfinished');
      const config = await loadConfig(join(folder, 'config.yaml'));
      for await (const _ of run(config, { ...inProcess, overwrite: true }));
      expect(readdirSync(join(folder, 'run'))).not.toContain('evaluation-train-unfinished');
    });
  });

  it('writes nothing where it was stopped before the first answer', async () => {
    const folder = tinyRun();
    const { events } = await told(folder, { signal: AbortSignal.abort() });
    expect(events.filter(({ type }) => type === 'evaluated')).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes('evaluation'))).toEqual([]);
  });

  it('refuses another adapter that does not fit before the first model has answered anything', async () => {
    const folder = tinyRun();
    await trained(folder);
    const [own, other] = ['best', 'other'].map((name) => join(folder, 'run', name));
    cpSync(own, other, { recursive: true });
    const file = join(other, 'adapter_model.safetensors');
    writeFileSync(file, readFileSync(file).subarray(0, 1000));
    const config = await loadConfig(join(folder, 'config.yaml'));
    await expect(planEvaluation(config, { against: other })).rejects.toMatchObject({ code: 'adapter' });
    await expect(told(folder, { against: other })).rejects.toMatchObject({ code: 'adapter' });
    expect(readdirSync(join(folder, 'run')).filter((name) => name.startsWith('evaluation'))).toEqual([]);
  });

  it('keeps of the training rows their words alone, not the pictures that they may hold', async () => {
    const folder = tinyRun();
    const config = await loadConfig(join(folder, 'config.yaml'));
    for (const split of ['validation', 'train'] as const) {
      const { training } = await planEvaluation(config, { split });
      expect(training).toEqual(tinyRows.map(({ question, answer }) => ({ question, answer })));
    }
  });

  it('never writes over what is not its own', async () => {
    const folder = tinyRun();
    const out = join(folder, 'mine');
    mkdirSync(out);
    writeFileSync(join(out, 'predictions.jsonl'), 'mine');
    await expect(told(folder, { out })).rejects.toMatchObject({ code: 'run', place: { file: out } });
    copyFileSync(join(folder, 'config.yaml'), join(out, 'notes.txt'));
    await expect(told(folder, { out })).rejects.toThrow('holds notes.txt');
    await expect(told(folder, { out: join(folder, 'config.yaml') })).rejects.toThrow('got a file');
    expect(readFileSync(join(out, 'predictions.jsonl'), 'utf8')).toBe('mine');
  });

  it.each<[string, EvaluateOptions, string[], string]>([
    ['a split without a file', { split: 'test' }, [], 'data.test in the config, got none'],
    ['no validation data', {}, ['data.validation=~'], 'data.validation in the config, got none'],
    ['an adapter that is not there', { adapter: 'nowhere' }, [], 'a folder with an adapter expected'],
    ['another that is not there', { against: 'nowhere' }, [], 'a folder with an adapter expected'],
    ['a length that cannot be meant', { maxNewTokens: 0 }, [], 'maxNewTokens expected'],
  ])('refuses %s', async (_, options, set, words) => {
    await expect(told(tinyRun(), options, set)).rejects.toThrow(words);
  });
});
