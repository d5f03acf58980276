/** A run that is interrupted and gone on with ends as one that never was: bytes of its adapters, metrics but their times. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { readState } from '../../src/train/checkpoints/state-file.ts';
import { compileStep } from '../../src/train/compile.ts';
import { type TrainEvent, withoutTiming } from '../../src/train/events.ts';
import { loadRepeat } from '../../src/train/repeat.ts';
import { type RunOptions, run } from '../../src/train/run.ts';
import { compileBigrams } from './bigram-model.ts';
import { inProcess, tinyRun } from './tiny-run.ts';

type Options = Partial<RunOptions> & { set?: string[]; onEvent?: (event: TrainEvent) => void };

async function train(folder: string, { set, onEvent, ...options }: Options = {}): Promise<TrainEvent[]> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: TrainEvent[] = [];
  for await (const event of run(config, { ...inProcess, compile: compileBigrams, ...options })) {
    events.push(event);
    onEvent?.(event);
  }
  return events;
}

const lines = (folder: string, output = 'run') =>
  readFileSync(join(folder, output, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const record = (folder: string, output = 'run') =>
  JSON.parse(readFileSync(join(folder, output, 'run.json'), 'utf8'));

/** All that must not depend on interruptions. */
function outcome(folder: string, output = 'run') {
  const bytes = (name: string) => {
    const file = join(folder, output, name);
    return existsSync(file) ? readFileSync(file).toString('base64') : 'none';
  };
  return {
    metrics: lines(folder, output).map(withoutTiming),
    files: [
      'adapter/adapter_model.safetensors',
      'best/adapter_model.safetensors',
      'scores/start.jsonl',
      'scores/last.jsonl',
    ].map(bytes),
    curves: statSync(join(folder, output, 'events.out.tfevents.lorikeet')).size,
    finish: withoutTiming(record(folder, output).finish),
    skipped: record(folder, output).skipped,
  };
}

const checkpoints = (folder: string) => readdirSync(join(folder, 'run', 'checkpoints')).sort();
const notices = (events: TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'notice' ? [event.text] : [])).join('\n');
const stepsOf = (events: TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event.step] : []));

/** Every file with its bytes and when it was written. */
function snapshot(folder: string) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .sort()
    .map((name) => [name, statSync(join(folder, name))] as const)
    .filter(([, stat]) => stat.isFile())
    .map(([name, stat]) => [name, stat.mtimeMs, readFileSync(join(folder, name)).toString('base64')]);
}

/** Three rows a step, so that a step has more than one micro-batch to be stopped between. */
const settings = { epochs: 2, gradientAccumulation: 2, evaluateEvery: 2, gapRows: 2, saveEvery: 1 };
const small = { train: settings, pack: { maxTokens: 1 } };

describe('a run that was stopped', () => {
  it('ends as if it had not been, wherever that was', async () => {
    const folder = tinyRun(small);
    let questions = 0;
    let beforeStart = 0;
    await train(folder, {
      stopped: () => {
        questions++;
        return false;
      },
      onEvent: ({ type }) => {
        if (type === 'start') beforeStart = questions;
      },
    });
    const expected = outcome(folder);
    expect(expected.metrics.map(({ type }) => type).join(' ')).toBe(
      'baseline step step evaluate step step evaluate step step evaluate finish',
    );
    const ends = new Set<string>();
    for (let n = beforeStart - 1; n <= questions; n++) {
      rmSync(join(folder, 'run'), { recursive: true, force: true });
      let asked = 0;
      const first = await train(folder, { stopped: () => asked++ >= n });
      ends.add(
        first.at(-1)?.type === 'finish'
          ? `${lines(folder).at(-2)?.type} ${lines(folder).at(-2)?.step}`
          : 'nothing',
      );
      await train(folder, { resume: true });
      expect(outcome(folder), `stopped at question ${n}`).toEqual(expected);
    }
    // Before the first step, within steps, within evaluations and after them, at the last step.
    expect([...ends]).toEqual(
      expect.arrayContaining([
        'nothing',
        'baseline 0',
        'step 1',
        'step 2',
        'evaluate 2',
        'step 6',
        'evaluate 6',
      ]),
    );
  }, 240_000);

  it('ends so under the real model, LoRA with dropout and without, and parameters trained whole', async () => {
    for (const method of [
      ['lora.dropout=0'],
      ['lora.dropout=0.2'],
      ['full.parameters=["layers.1.mlp.down_proj.weight"]'],
    ]) {
      const folder = tinyRun({ train: { ...settings, saveEvery: 4 } });
      const options = { compile: compileStep, set: method };
      await train(folder, options);
      const name = method[0].startsWith('full') ? 'model.safetensors' : 'adapter_model.safetensors';
      const whole = () => ['adapter', 'best'].map((which) => readFileSync(join(folder, 'run', which, name)));
      const [expected, weights] = [outcome(folder), whole()];
      rmSync(join(folder, 'run'), { recursive: true });
      let steps = 0;
      const onEvent = (event: TrainEvent) => {
        if (event.type === 'step') steps = event.step;
      };
      await train(folder, { ...options, onEvent, stopped: () => steps >= 3 });
      expect(checkpoints(folder)).toEqual(['step-3']);
      steps = 0;
      await train(folder, { ...options, resume: true, onEvent, stopped: () => steps >= 5 });
      await train(folder, { ...options, resume: true });
      expect(outcome(folder), method[0]).toEqual(expected);
      expect(whole()).toEqual(weights);
      expect(record(folder).resumed.map(({ step }: { step: number }) => step)).toEqual([3, 5]);
    }
  }, 240_000);
});

describe('a run that was killed', () => {
  it('ends as if it had not been, whichever event its folder was left at', async () => {
    const folder = tinyRun({ train: { ...settings, saveEvery: 2 } });
    const left: [string, string][] = [];
    let n = 0;
    await train(folder, {
      onEvent: ({ type }) => {
        const copy = join(folder, `copy-${n++}`);
        if (existsSync(join(folder, 'run'))) {
          cpSync(join(folder, 'run'), copy, { recursive: true, preserveTimestamps: true });
          left.push([type, copy]);
        }
      },
    });
    const expected = outcome(folder);
    for (const [type, copy] of left) {
      rmSync(join(folder, 'run'), { recursive: true });
      cpSync(copy, join(folder, 'run'), { recursive: true });
      // The process that held it is this one, which goes on: its claim must not stand.
      for (const name of readdirSync(join(folder, 'run'))) {
        if (name.startsWith('run.lock.')) rmSync(join(folder, 'run', name));
      }
      await train(folder, { resume: true });
      expect(outcome(folder), type).toEqual(expected);
    }
  }, 120_000);

  it('has in best/ and scores/ what its last checkpoint knew, though later evaluations had replaced them', async () => {
    const folder = tinyRun({ train: { ...settings, saveEvery: 3 } });
    const run = join(folder, 'run');
    let atThree = '';
    const best = () => readFileSync(join(run, 'best', 'adapter_model.safetensors')).toString('base64');
    const scored = () =>
      JSON.parse(readFileSync(join(run, 'scores', 'last.jsonl'), 'utf8').split('\n')[0]).step;
    await train(folder, {
      onEvent: (event) => {
        if (event.type === 'checkpoint' && event.step === 3) atThree = best();
        // What a kill leaves just after the second evaluation.
        if (event.type === 'evaluate' && event.step === 4) {
          expect(event.best).toBe(true);
          expect(best()).not.toBe(atThree);
          cpSync(run, join(folder, 'killed'), { recursive: true });
        }
      },
    });
    rmSync(run, { recursive: true });
    cpSync(join(folder, 'killed'), run, { recursive: true });
    for (const name of readdirSync(run)) if (name.startsWith('run.lock.')) rmSync(join(run, name));
    expect(scored()).toBe(4);
    let started = false;
    const onEvent = ({ type }: TrainEvent) => {
      started ||= type === 'start';
    };
    await train(folder, { resume: true, onEvent, stopped: () => started });
    expect(record(folder)).toMatchObject({ status: 'stopped', finish: { step: 3, best: { step: 2 } } });
    expect(best()).toBe(atThree);
    expect(scored()).toBe(2);
  });

  it('starts anew, and says so, where it left no whole checkpoint', async () => {
    const folder = tinyRun(small);
    await train(folder);
    const expected = outcome(folder);
    const run = join(folder, 'run');
    writeFileSync(join(run, 'run.json'), JSON.stringify({ ...record(folder), status: 'running' }));
    rmSync(join(run, 'checkpoints'), { recursive: true });
    for (const empty of [false, true]) {
      if (empty) {
        writeFileSync(join(run, 'run.json'), JSON.stringify({ ...record(folder), status: 'running' }));
        rmSync(join(run, 'checkpoints'), { recursive: true });
        mkdirSync(join(run, 'checkpoints'));
      }
      const events = await train(folder, { resume: true });
      expect(notices(events)).toContain('holds no whole checkpoint: the run starts at step 0');
      expect(stepsOf(events)[0]).toBe(1);
      expect(outcome(folder)).toEqual(expected);
    }
    rmSync(run, { recursive: true });
    expect(notices(await train(folder, { resume: true }))).toContain(
      'holds no run yet: the run starts at step 0',
    );
    expect(outcome(folder)).toEqual(expected);
  });
});

describe('a checkpoint', () => {
  /** Stopped after step 4 of 6, with checkpoints of steps 3 and 4. */
  async function stopped(changes: Parameters<typeof tinyRun>[0] = {}) {
    const folder = tinyRun({ ...small, ...changes });
    await train(folder);
    const expected = outcome(folder);
    rmSync(join(folder, 'run'), { recursive: true });
    let steps = 0;
    await train(folder, {
      onEvent: (event) => {
        if (event.type === 'step') steps = event.step;
      },
      stopped: () => steps === 4,
    });
    expect(checkpoints(folder)).toEqual(['step-3', 'step-4']);
    return { folder, expected, path: (step: number) => join(folder, 'run', 'checkpoints', `step-${step}`) };
  }

  const damages: [string, (path: string) => void, RegExp][] = [
    [
      'with a byte turned',
      (path) => {
        const file = join(path, 'optimizer.safetensors');
        const bytes = readFileSync(file);
        bytes[bytes.length - 7] ^= 1;
        writeFileSync(file, bytes);
      },
      /optimizer\.safetensors expected SHA-256/,
    ],
    [
      'cut short',
      (path) => writeFileSync(join(path, 'state.json'), '{'),
      /state\.json expected \d+ bytes, got 1/,
    ],
    [
      'without a file',
      (path) => rmSync(join(path, 'parameters.safetensors')),
      /parameters\.safetensors is missing/,
    ],
    [
      'without its manifest',
      (path) => rmSync(join(path, 'manifest.json')),
      /manifest\.json is missing or not whole/,
    ],
    [
      'emptied',
      (path) => {
        for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
      },
      /manifest\.json is missing/,
    ],
  ];
  it.each(damages)('%s is passed over for the one before, and that is said', async (_, damage, reason) => {
    const { folder, expected, path } = await stopped();
    damage(path(4));
    const events = await train(folder, { resume: true });
    expect(notices(events)).toMatch(/checkpoints\/step-4 is not whole and was passed over/);
    expect(notices(events)).toMatch(reason);
    expect(stepsOf(events)).toEqual([4, 5, 6]);
    expect(outcome(folder)).toEqual(expected);
  });

  it.each<[string, (text: string) => string, RegExp]>([
    [
      'shorter',
      (text) => text.slice(0, 300),
      /metrics\.jsonl expected at least the \d+ bytes that it had then, got 300/,
    ],
    [
      'written into',
      (text) => text.replace('"step":1', '"step": 1'),
      /metrics\.jsonl expected a line to end at byte \d+/,
    ],
  ])('cannot be gone on from where metrics.jsonl is %s', async (_, change, reason) => {
    const { folder, expected } = await stopped();
    const file = join(folder, 'run', 'metrics.jsonl');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    const events = await train(folder, { resume: true });
    expect(notices(events)).toMatch(reason);
    expect(notices(events)).toContain('the run starts at step 0');
    expect(outcome(folder)).toEqual(expected);
  });

  it('keeps all of the state that it was handed', async () => {
    const { path } = await stopped();
    const written = JSON.parse(readFileSync(join(path(4), 'state.json'), 'utf8'));
    expect(written.training).toMatchObject({ step: 4, evaluated: 2, numbers: { norms: { length: 4 } } });
    expect(await readState(path(4))).toEqual(written);
  });

  it('can be named; those after it are done again', async () => {
    const { folder, expected, path } = await stopped();
    const events = await train(folder, { resume: path(3) });
    expect(stepsOf(events)).toEqual([4, 5, 6]);
    expect(outcome(folder)).toEqual(expected);
  });

  it('is found by any link to it, and by any link to its run', async () => {
    const { folder, expected } = await stopped();
    symlinkSync(join(folder, 'run', 'checkpoints'), join(folder, 'kept'));
    symlinkSync(join(folder, 'run'), join(folder, 'link'));
    const events = await train(folder, { resume: join(folder, 'kept', 'step-3'), set: ['output=link'] });
    expect(stepsOf(events)).toEqual([4, 5, 6]);
    expect(outcome(folder)).toEqual(expected);
  });

  it.each<[string, (path: string, aside: string) => void]>([
    ['a file stands', (path) => writeFileSync(path, '')],
    [
      'a link stands, of whose target nothing is removed',
      (path, aside) => {
        mkdirSync(aside);
        writeFileSync(join(aside, 'manifest.json'), 'of somebody else');
        symlinkSync(aside, path);
      },
    ],
  ])('is passed over where in its place %s', async (_, put) => {
    const { folder, expected, path } = await stopped();
    const aside = join(folder, 'aside');
    rmSync(path(4), { recursive: true });
    put(path(4), aside);
    const events = await train(folder, { resume: true });
    expect(notices(events)).toContain('checkpoints/step-4 is not whole and was passed over');
    expect(outcome(folder)).toEqual(expected);
    if (existsSync(aside))
      expect(readFileSync(join(aside, 'manifest.json'), 'utf8')).toBe('of somebody else');
  });

  it('is gone on from whatever stands in the record beside it', async () => {
    const { folder, expected } = await stopped();
    const odd = { status: 'finished', finish: 5, resumed: 7, startedAt: {}, files: [null], config: 1 };
    const file = join(folder, 'run', 'run.json');
    writeFileSync(file, JSON.stringify({ ...record(folder), ...odd }));
    await train(folder, { resume: true });
    expect(outcome(folder)).toEqual(expected);
  });

  it('that is named must be one, and whole', async () => {
    const { folder, path } = await stopped();
    await expect(train(folder, { resume: path(99) })).rejects.toThrow(
      'a checkpoint of a run expected, got no such folder',
    );
    await expect(train(folder, { resume: folder })).rejects.toThrow(
      'Name a folder like RUN/checkpoints/step-200',
    );
    writeFileSync(join(path(3), 'state.json'), '');
    await expect(train(folder, { resume: path(3) })).rejects.toThrow(
      'is not a whole checkpoint: state.json expected',
    );
  });

  it('may be gone on from in a new output, which then is a run of its own', async () => {
    const { folder, expected, path } = await stopped();
    const before = snapshot(join(folder, 'run'));
    const events = await train(folder, { resume: path(4), set: ['output=other'] });
    expect(notices(events)).toMatch(/output: .*run" then, .*other" now/);
    expect(outcome(folder, 'other')).toEqual(expected);
    expect(snapshot(join(folder, 'run'))).toEqual(before);
    expect(notices(await train(folder, { resume: true, set: ['output=other'] }))).toContain('is finished');
    await train(folder, { resume: true });
    await train(folder, { resume: path(4), set: ['output=third'] }); // of a run that is finished by now
    expect(outcome(folder, 'third')).toEqual(expected);
  });

  it.each<[string, string[], RegExp]>([
    ['rank', ['lora.rank=8'], /lora\.rank: 16 then, 8 now/],
    ['seed', ['train.seed=7'], /train\.seed: 42 then, 7 now/],
    ['learning rate', ['train.learningRate=0.5'], /train\.learningRate: 0\.001 then, 0\.5 now/],
    [
      'several words',
      ['train.shuffle=false', 'train.weightDecay=0.5'],
      /weightDecay: 0\.01 then, 0\.5 now; train\.shuffle: true/,
    ],
    [
      'data file',
      ['data.train=val.jsonl'],
      /data\.train \(SHA-256\): [0-9a-f]{12}\.\.\. then, [0-9a-f]{12}\.\.\. now/,
    ],
    ['validation data', ['data.validation=train.jsonl'], /data\.validation \(SHA-256\)/],
  ])('of another %s is refused with the difference, and nothing is touched', async (_, set, difference) => {
    const { folder } = await stopped();
    const before = snapshot(join(folder, 'run'));
    await expect(train(folder, { resume: true, set })).rejects.toThrow(difference);
    expect(snapshot(join(folder, 'run'))).toEqual(before);
  });

  it('is of its model: other weights of the same shape are refused', async () => {
    const { folder } = await stopped();
    const file = join(folder, 'model', 'model.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 3] ^= 1;
    writeFileSync(file, bytes);
    await expect(train(folder, { resume: true })).rejects.toThrow(
      /the weights of the model \(fingerprint\): /,
    );
  });

  it('is of its pictures', async () => {
    const { folder } = await stopped();
    cpSync(join(folder, 'a.png'), join(folder, 'b.png'));
    await expect(train(folder, { resume: true })).rejects.toThrow(
      /data\.train \(digest of the pictures' pixels\)/,
    );
  });

  it('lets epochs and evaluations change, and says what that does', async () => {
    const { folder } = await stopped();
    const events = await train(folder, { resume: true, set: ['train.epochs=3', 'train.evaluateEvery=4'] });
    expect(notices(events)).toContain(
      'train.epochs: 2 then, 3 now; the learning rate follows the new number of steps',
    );
    expect(notices(events)).toContain('train.evaluateEvery: 2 then, 4 now; from here on');
    expect(events.at(-1)).toMatchObject({ type: 'finish', status: 'finished', step: 9, totalSteps: 9 });
    const fewer = train(folder, { resume: true, set: ['train.epochs=1', 'train.evaluateEvery=4'] });
    await expect(fewer).rejects.toThrow(/at most 3 steps expected.* got 8/s);
  });

  it('is kept as many times as train.keep says, and never at train.saveEvery 0', async () => {
    const folder = tinyRun(small);
    await train(folder, { set: ['train.keep=3'] });
    expect(checkpoints(folder)).toEqual(['step-3', 'step-4', 'step-5']);
    let steps = 0;
    const onEvent = ({ type }: TrainEvent) => {
      if (type === 'step') steps++;
    };
    const events = await train(folder, {
      overwrite: true,
      set: ['train.saveEvery=0'],
      onEvent,
      stopped: () => steps === 2,
    });
    expect(events.map(({ type }) => type)).not.toContain('checkpoint');
    expect(existsSync(join(folder, 'run', 'checkpoints'))).toBe(false);
  });
});

describe('a finished run', () => {
  it('is left as it is when it is asked to go on, and tells its end again', async () => {
    const folder = tinyRun(small);
    const end = (await train(folder)).at(-1);
    const before = snapshot(join(folder, 'run'));
    const events = await train(folder, { resume: true });
    expect(events.map(({ type }) => type)).toEqual(['notice', 'finish']);
    expect(notices(events)).toContain('is finished, after 6 steps; nothing was changed');
    expect(events.at(-1)).toEqual(end);
    expect(snapshot(join(folder, 'run'))).toEqual(before);
  });
});

describe('rows that were lost on the way', () => {
  it('stay lost, and keep their place in the order', async () => {
    const rows = Array.from({ length: 7 }, (_, i) => ({
      image: i === 4 ? 'c.png' : 'a.png',
      question: `q${i}`,
      answer: `a${i}`,
    }));
    const make = () => {
      const folder = tinyRun({ rows, onBadRow: 'skip', train: { ...settings, gapRows: 7, epochs: 3 } });
      cpSync(join(folder, 'b.png'), join(folder, 'c.png'));
      return folder;
    };
    const spoil = (folder: string) => rmSync(join(folder, 'c.png'), { force: true });
    const whole = make();
    await train(whole, { onEvent: ({ type }) => type === 'start' && spoil(whole) });
    const expected = outcome(whole);
    expect(expected.skipped).toMatchObject([{ split: 'train', row: 4 }]);
    const folder = make();
    let steps = 0;
    await train(folder, {
      onEvent: (event) => {
        if (event.type === 'start') spoil(folder);
        if (event.type === 'step') steps = event.step;
      },
      stopped: () => steps === 5,
    });
    await train(folder, { resume: true });
    const { metrics, files, finish } = outcome(folder);
    expect({ metrics, files: files.slice(0, 2), finish }).toEqual({
      metrics: expected.metrics,
      files: expected.files.slice(0, 2),
      finish: expected.finish,
    });
    expect(record(folder).skipped).toMatchObject([{ split: 'train', row: 4 }]);
  });
});

describe('a run that is repeated from its run.json', () => {
  const repeat = async (folder: string, set: string[]) => {
    const config = await loadRepeat(join(folder, 'run', 'run.json'), { set });
    const events: TrainEvent[] = [];
    for await (const event of run(config, { ...inProcess, compile: compileBigrams })) events.push(event);
    return events;
  };

  it('gives the same bytes', async () => {
    const folder = tinyRun(small);
    await train(folder, { set: ['train.epochs=1', 'train.seed=5'] });
    const events = await repeat(folder, ['output=again']);
    expect(outcome(folder, 'again')).toEqual(outcome(folder));
    expect(notices(events)).not.toContain('Not the run');
    expect(record(folder, 'again').config.resolved.train).toMatchObject({ epochs: 1, seed: 5, threads: 1 });
  });

  it('is refused where the data is another, and said to be another where words are', async () => {
    const folder = tinyRun(small);
    await train(folder);
    expect(notices(await repeat(folder, ['output=seed', 'train.seed=9']))).toMatch(
      /Not the run of .*: train\.seed: 42 then, 9 now/,
    );
    cpSync(join(folder, 'val.jsonl'), join(folder, 'train.jsonl'));
    await expect(repeat(folder, ['output=data'])).rejects.toThrow(
      /the run cannot be repeated: data\.train \(SHA-256\)/,
    );
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('is told from any other JSON', async () => {
    const folder = tinyRun();
    await expect(loadRepeat(join(folder, 'model', 'config.json'))).rejects.toThrow(
      'the run.json of a run expected',
    );
    await expect(loadRepeat(join(folder, 'no.json'))).rejects.toThrow('no.json');
  });
});
