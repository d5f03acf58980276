import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainEvent } from '../../src/train/events.ts';
import { checkOutput, markEnded, openRunFolder, readRunRecord } from '../../src/train/run-folder.ts';

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'lorikeet-run-'));
  folder = join(parent, 'deep', 'run');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const record = () => ({
  status: 'running' as const,
  startedAt: '2026-01-01T00:00:00.000Z',
  versions: { lorikeet: '0.1.0' },
});
const writeAdapter = (text: string) => (into: string) => {
  writeFileSync(join(into, 'adapter_config.json'), '{}');
  writeFileSync(join(into, 'adapter_model.safetensors'), text);
};

describe('output folder', () => {
  it('may be new or empty', async () => {
    checkOutput(folder, false);
    mkdirSync(folder, { recursive: true });
    checkOutput(folder, false);
  });

  it('is refused when it holds a run, unless that may be overwritten', async () => {
    (await openRunFolder(folder, record())).close();
    expect(() => checkOutput(folder, false)).toThrow(/holds a run.*--overwrite/s);
    checkOutput(folder, true);
  });

  it('is refused with or without overwrite when no run wrote what it holds', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'thesis.tex'), 'x');
    expect(() => checkOutput(folder, false)).toThrow('no run wrote');
    expect(() => checkOutput(folder, true)).toThrow('no run wrote');
    writeFileSync(join(folder, 'run.json'), '{"of": "another tool"}');
    expect(() => checkOutput(folder, true)).toThrow('no run wrote');
  });

  it('is cleared of scores, pictures and curves of the run before, and of nothing else', async () => {
    const run = await openRunFolder(folder, record());
    const none = async function* () {};
    await run.replaceScores('start', none());
    await run.replaceScores('last', none());
    await run.keepPicture('validation-3.jpg', Buffer.from('x'));
    run.close();
    writeFileSync(join(folder, 'scores', 'pictures', 'mine.png'), '');
    (await openRunFolder(folder, record())).close();
    expect(readdirSync(join(folder, 'scores'))).toEqual(['pictures']);
    expect(readdirSync(join(folder, 'scores', 'pictures'))).toEqual(['mine.png']);
    rmSync(join(folder, 'scores', 'pictures', 'mine.png'));
    (await openRunFolder(folder, record())).close();
    expect(existsSync(join(folder, 'scores'))).toBe(false);
  });

  it('is refused when it is a file', async () => {
    writeFileSync(join(parent, 'file'), '');
    expect(() => checkOutput(join(parent, 'file'), true)).toThrow('got a file');
  });
});

describe('run folder', () => {
  it('keeps what it did not write when a run is overwritten', async () => {
    const first = await openRunFolder(folder, record());
    first.appendMetrics({ type: 'step' } as TrainEvent, false);
    await first.replaceAdapter('last', writeAdapter('one'));
    await first.replaceAdapter('best', writeAdapter('one'));
    first.close();
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    writeFileSync(join(folder, 'best', 'notes.txt'), 'mine');
    (await openRunFolder(folder, record())).close();
    expect(readdirSync(folder).sort()).toEqual([
      'best',
      'events.out.tfevents.lorikeet',
      'metrics.jsonl',
      'notes.txt',
      'run.json',
    ]);
    expect(readdirSync(join(folder, 'best'))).toEqual(['notes.txt']);
    expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8')).toBe('');
  });

  it('writes a line an event', async () => {
    const run = await openRunFolder(folder, record());
    run.appendMetrics({ type: 'step', step: 1 } as TrainEvent, false);
    run.appendMetrics({ type: 'finish' } as TrainEvent, true);
    run.close();
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8');
    expect(lines).toBe('{"type":"step","step":1}\n{"type":"finish"}\n');
  });

  it('leaves the former adapter whole when a new one cannot be written', async () => {
    const run = await openRunFolder(folder, record());
    await run.replaceAdapter('last', writeAdapter('good'));
    const failing = run.replaceAdapter('last', (into) => {
      writeAdapter('half')(into);
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    const weights = join(folder, 'adapter', 'adapter_model.safetensors');
    expect(readFileSync(weights, 'utf8')).toBe('good');
    await run.replaceAdapter('last', writeAdapter('better'));
    expect(readFileSync(weights, 'utf8')).toBe('better');
    expect(existsSync(join(folder, 'adapter.partial'))).toBe(false);
    run.close();
  });

  it('says which part of its path is in the way', () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'file'), '');
    expect(() => checkOutput(join(folder, 'file'), true)).toThrow('output expected a folder, got a file');
    const inside = join(folder, 'file', 'deep', 'run');
    expect(() => checkOutput(inside, true)).toThrow(`a path inside the file ${join(folder, 'file')}`);
  });

  it('adds skipped rows to those of the check', async () => {
    const first = { split: 'train', row: 1, reason: 'a' };
    const second = { split: 'validation', row: 4, reason: 'b' };
    const run = await openRunFolder(folder, { ...record(), skipped: [first] });
    await run.addSkipped(second);
    run.close();
    expect(readRunRecord(folder)?.skipped).toEqual([first, second]);
  });

  it('updates its record and keeps the word of a run that ended by itself', async () => {
    const run = await openRunFolder(folder, record());
    await run.update({ status: 'finished' });
    await markEnded(folder, 'failed', 'too late');
    expect(readRunRecord(folder)).toMatchObject({ status: 'finished', versions: { lorikeet: '0.1.0' } });
    await run.update({ status: 'running' });
    await markEnded(folder, 'failed', 'the worker died');
    expect(readRunRecord(folder)).toMatchObject({ status: 'failed', error: 'the worker died' });
    run.close();
  });
});
