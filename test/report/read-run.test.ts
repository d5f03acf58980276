import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import { readRun } from '../../src/report/read-run.ts';
import { generatedRun, jpeg, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const run = generatedRun();
const written = () => writeRun(join(temporaryFolder(), 'first'), run);
const metrics = (folder: string) => join(folder, 'metrics.jsonl');
const ofType = (type: string) => run.events.filter((event) => event.type === type);

describe('a run folder', () => {
  it('is read whole, with nothing missing', () => {
    const story = readRun(written());
    expect(story.missing).toEqual([]);
    expect(story).toMatchObject({ name: 'first', source: 'lorikeet', status: 'finished' });
    expect(story.record).toEqual(run.record);
    expect(story.steps).toEqual(ofType('step'));
    expect(story.evaluations).toEqual(ofType('evaluate'));
    expect([story.baseline, story.finish]).toEqual([...ofType('baseline'), ...ofType('finish')]);
    expect(story.scores).toEqual({ start: run.start, last: run.last });
    expect(story.unknown).toEqual([]);
  });

  it('is read where it was copied to, without the paths that it names', () => {
    const copy = join(temporaryFolder(), 'elsewhere');
    cpSync(written(), copy, { recursive: true });
    expect(readRun(copy)).toMatchObject({ folder: copy, name: 'elsewhere', missing: [] });
  });

  it('that is still going says when it was last written', () => {
    const folder = writeRun(temporaryFolder(), {
      ...run,
      record: { ...run.record, status: 'running', finish: undefined, adapterStep: undefined },
      events: run.events.slice(0, 32),
    });
    const story = readRun(folder);
    expect(story.status).toBe('running');
    expect(story.finish).toBeUndefined();
    expect(story.missing).toEqual([
      expect.stringMatching(
        /^The run was still going when .* 20\d\d-.*Z, at step 29 of 60; whether it still is/,
      ),
    ]);
  });

  it('that failed says at which step and why', () => {
    const { finish: _, ...record } = { ...run.record, status: 'failed' as const, error: 'the loss is NaN' };
    const story = readRun(writeRun(temporaryFolder(), { ...run, record, events: run.events.slice(0, 20) }));
    expect(story.missing).toEqual(['The run failed at step 18 of 60: the loss is NaN']);
  });

  it('of 0.1.0 has no baseline, no scores and fewer fields', () => {
    const folder = temporaryFolder();
    const { check: _c, base: _b, method: _m, lora: _l, ...record } = run.record;
    const old = { ...record, config: { ...record.config, resolved: { model: '/m', train: { epochs: 3 } } } };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(old));
    const lines = [
      {
        type: 'step',
        step: 1,
        epoch: 1,
        loss: 2,
        gradNorm: 1,
        learningRate: 1e-4,
        labelTokens: 9,
        tokens: 90,
      },
      {
        type: 'evaluate',
        step: 1,
        loss: 2,
        tokens: 9,
        tokenAccuracy: 0.5,
        exactMatch: 0,
        answerLoss: 2,
        best: true,
      },
      { type: 'finish', status: 'finished', step: 1, totalSteps: 1, best: { step: 1, loss: 2 }, seconds: 4 },
    ];
    writeFileSync(metrics(folder), lines.map((line) => JSON.stringify(line)).join('\n'));
    const story = readRun(folder);
    expect(story.steps).toEqual([lines[0]]);
    expect(story.evaluations).toEqual([lines[1]]);
    // One figure chose the best then.
    expect(story.finish).toEqual({ ...lines[2], best: { step: 1, loss: 2, metric: 'loss', value: 2 } });
    expect(story.record?.config?.resolved).toEqual({
      model: '/m',
      data: {},
      image: {},
      train: { epochs: 3 },
    });
    expect(story.missing).toEqual([
      'The base was not evaluated before step 1: there is nothing to hold the figures against.',
      'Training rows were not scored beside the validation rows: the gap between them is unknown.',
      'scores/last.jsonl is not there: what single tokens cost at the last evaluation is unknown.',
    ]);
  });

  it('without validation data says so once', () => {
    const { validation: _, ...data } = run.record.data!;
    const folder = writeRun(temporaryFolder(), {
      ...run,
      record: { ...run.record, data },
      events: run.events.filter(({ type }) => type === 'step' || type === 'finish'),
    });
    rmSync(join(folder, 'scores'), { recursive: true });
    expect(readRun(folder).missing).toEqual([expect.stringContaining('no validation data')]);
  });
});

describe('a damaged run folder', () => {
  it('with a cut-off last line keeps the lines before it', () => {
    const folder = written();
    const text = readFileSync(metrics(folder), 'utf8');
    truncateSync(metrics(folder), text.length - 20);
    const story = readRun(folder);
    expect(story.steps).toHaveLength(60);
    expect(story.missing).toEqual(['metrics.jsonl: the last line is cut off: left out.']);
    expect(story.finish).toEqual(run.record.finish);
  });

  it('counts broken lines and passes over what a newer version wrote', () => {
    const folder = written();
    const newer = { ...run.record, versions: { lorikeet: '99.1.0' }, phases: [1, 2], check: { splits: 7 } };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(newer));
    appendFileSync(
      metrics(folder),
      [
        '{"type":"step","step":61,"loss":null}',
        '{"type":"step","step":"62","loss":1}',
        'not json',
        '[1,2]',
        '{"type":"checkpoint","step":60}',
        '{"type":"checkpoint","step":61}',
        '{"type":"evaluate","step":61,"loss":0.4,"entropy":3,"gap":{"value":"<b>"},"answerLoss":"x"}',
        '',
      ].join('\n'),
    );
    const story = readRun(folder);
    expect(story.steps).toHaveLength(60);
    expect(story.evaluations.at(-1)).toEqual({ type: 'evaluate', step: 61, loss: 0.4 });
    expect(story.record?.check).toBeUndefined();
    expect(story.missing).toEqual([
      expect.stringMatching(/^run.json: "check" is not as this version reads it \(check\.splits: /),
      expect.stringMatching(/^The run was written by Lorikeet 99.1.0, this is \d/),
      'metrics.jsonl: 4 lines could not be read: left out.',
      expect.stringContaining('"checkpoint" (2)'),
    ]);
  });

  it('has the warnings of the run, and none that are not as a run writes them', () => {
    const folder = writeRun(temporaryFolder(), run);
    const good = {
      type: 'warning',
      kind: 'explosion',
      step: 7,
      applied: true,
      text: 'x',
      rows: [{ row: 3, loss: 2 }],
    };
    const bad = [
      { ...good, kind: 'else' },
      { ...good, rows: [{ row: -1, loss: 2 }] },
      { ...good, step: '7' },
    ];
    appendFileSync(
      join(folder, 'metrics.jsonl'),
      [good, ...bad].map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
    const { warnings, missing } = readRun(folder);
    expect(warnings).toMatchObject([
      { kind: 'explosion', step: 7, applied: true, rows: [{ row: 3, loss: 2 }] },
    ]);
    expect(missing).toEqual(['metrics.jsonl: 3 lines could not be read: left out.']);
  });

  it('without run.json still has its curves, without metrics.jsonl still its record', () => {
    const [first, second] = [written(), written()];
    writeFileSync(join(first, 'run.json'), '{"status": "finis');
    const story = readRun(first);
    expect([story.status, story.record]).toEqual(['unknown', undefined]);
    expect(story.steps).toHaveLength(60);
    expect(story.missing[0]).toMatch(/^run.json is not whole JSON: .* are unknown\.$/);
    rmSync(metrics(second));
    expect(readRun(second)).toMatchObject({ status: 'finished', steps: [] });
    expect(readRun(second).missing).toContain('metrics.jsonl is not there: there are no curves.');
  });

  it('pollutes no prototype and breaks on no hostile value', () => {
    const folder = written();
    const hostile =
      '{"type":"step","step":1,"loss":1,"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}\n';
    writeFileSync(
      metrics(folder),
      `${hostile}{"type":"__proto__"}\n{"type":"toString"}\n{"type":1e999,"step":1}\n`,
    );
    writeFileSync(
      join(folder, 'scores', 'last.jsonl'),
      `{"__proto__":{"polluted":1},"tokens":[]}\n${'['.repeat(1e5)}\n`,
    );
    const story = readRun(folder);
    expect(story.steps).toEqual([{ type: 'step', step: 1, loss: 1 }]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(story.scores.last).toEqual([]);
    writeFileSync(
      join(folder, 'run.json'),
      `{"versions":{"lorikeet":"0.1.0"},"decisions":${'['.repeat(1e5)}`,
    );
    expect(readRun(folder).missing[0]).toContain('nested deeper');
  });

  it('with a line of many megabytes keeps the others', () => {
    const folder = written();
    appendFileSync(
      metrics(folder),
      `{"type":"step","step":61,"loss":1,"pad":"${'x'.repeat(3 * 2 ** 20)}"}\n`,
    );
    appendFileSync(metrics(folder), '{"type":"step","step":62,"loss":1}\n');
    const story = readRun(folder);
    expect(story.steps.at(-1)?.step).toBe(62);
    expect(story.missing).toEqual(['metrics.jsonl: 1 line longer than any that a run writes: left out.']);
  });

  it('reads lines across the borders of its chunks', () => {
    const folder = written();
    const steps = Array.from({ length: 30_000 }, (_, i) => `{"type":"step","step":${i + 1},"loss":${i / 7}}`);
    writeFileSync(metrics(folder), `${steps.join('\r\n')}\n`);
    const story = readRun(folder);
    expect(story.missing).not.toContainEqual(expect.stringContaining('could not be read'));
    expect(story.steps.map(({ loss }) => loss)).toEqual(steps.map((_, i) => i / 7));
  });

  it('orders steps and keeps the later of two lines for one', () => {
    const folder = written();
    writeFileSync(
      metrics(folder),
      [3, 1, 2, 1].map((step, i) => `{"type":"step","step":${step},"loss":${i}}\n`).join(''),
    );
    expect(readRun(folder).steps.map(({ step, loss }) => [step, loss])).toEqual([
      [1, 3],
      [2, 2],
      [3, 0],
    ]);
  });
});

describe('pictures of a run', () => {
  it('come by plain names from their own folder alone, and only as JPEG', () => {
    const folder = written();
    const pictures = join(folder, 'scores', 'pictures');
    writeFileSync(join(folder, 'secret.jpg'), jpeg);
    writeFileSync(join(pictures, 'page.jpg'), '<script>');
    mkdirSync(join(pictures, 'folder.jpg'));
    symlinkSync(join(folder, 'secret.jpg'), join(pictures, 'link.jpg'));
    const { picture } = readRun(folder);
    expect(picture('validation-0.jpg')).toEqual(jpeg);
    for (const name of [
      '../../secret.jpg',
      '..',
      '',
      '/etc/passwd',
      'a/../validation-0.jpg',
      'validation-0.jpg\0',
      'page.jpg',
      'folder.jpg',
      'link.jpg',
      'absent.jpg',
    ]) {
      expect(picture(name), name).toBeUndefined();
    }
  });

  it('do not come from a folder that a link leads out to', () => {
    const folder = written();
    const outside = temporaryFolder();
    copyFileSync(join(folder, 'scores', 'pictures', 'validation-0.jpg'), join(outside, 'validation-0.jpg'));
    rmSync(join(folder, 'scores', 'pictures'), { recursive: true });
    symlinkSync(outside, join(folder, 'scores', 'pictures'));
    expect(readRun(folder).picture('validation-0.jpg')).toBeUndefined();
  });
});

describe('what is no run', () => {
  const refusal = (folder: string): string => {
    try {
      readRun(folder);
    } catch (error) {
      expect(error).toBeInstanceOf(LorikeetError);
      expect((error as LorikeetError).code).toBe('run');
      return (error as LorikeetError).message;
    }
    throw new Error('was read');
  };

  it('is refused with what was expected and what is there', () => {
    const folder = temporaryFolder();
    expect(refusal(folder)).toContain('got an empty one');
    writeFileSync(join(folder, 'thesis.tex'), '');
    expect(refusal(folder)).toMatch(
      /a run folder \(run.json, metrics.jsonl\) or .*trainer_state.json.*got one with thesis.tex/,
    );
    expect(refusal(join(folder, 'nowhere'))).toContain('got no such folder');
    expect(refusal(join(folder, 'thesis.tex'))).toContain('got a file');
    writeFileSync(join(folder, 'run.json'), '{"of": "another tool"}');
    expect(refusal(folder)).toContain('one whose run.json does not say which Lorikeet wrote it');
    writeFileSync(join(folder, 'metrics.jsonl'), '{"of": "another tool"}\n');
    expect(refusal(folder)).toContain('does not say which Lorikeet');
  });

  it('does not wait for a named pipe', () => {
    const folder = temporaryFolder();
    execFileSync('mkfifo', [join(folder, 'run.json'), join(folder, 'metrics.jsonl')]);
    expect(refusal(folder)).toContain('is not a plain file');
  });
});
