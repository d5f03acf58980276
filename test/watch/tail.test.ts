import { appendFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tailLines } from '../../src/watch/tail.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';

const fileIn = (folder: string) => join(folder, 'metrics.jsonl');

describe('the tail of a file of lines', () => {
  it('gives each line once, and a line only when its end is there', () => {
    const file = fileIn(temporaryFolder());
    const tail = tailLines(file);
    expect(tail.read()).toEqual({ lines: [], restarted: false });
    writeFileSync(file, 'one\ntw');
    expect(tail.read().lines).toEqual(['one']);
    expect(tail.read().lines).toEqual([]);
    appendFileSync(file, 'o\nthree\n');
    expect(tail.read()).toEqual({ lines: ['two', 'three'], restarted: false });
  });

  it('keeps characters whole that two reads cut', () => {
    const file = fileIn(temporaryFolder());
    const tail = tailLines(file);
    const bytes = Buffer.from('größer\n');
    writeFileSync(file, bytes.subarray(0, 3));
    expect(tail.read().lines).toEqual([]);
    appendFileSync(file, bytes.subarray(3));
    expect(tail.read().lines).toEqual(['größer']);
  });

  it.each([
    ['was cut', (file: string) => writeFileSync(file, 'new\n')],
    [
      'is another one of the same length or more',
      (file: string) => writeFileSync(file, 'NEW one\nNEW two\nthree\n'),
    ],
    [
      'was moved into its place',
      (file: string) => {
        writeFileSync(`${file}.new`, 'moved one\nmoved two\n');
        renameSync(`${file}.new`, file);
      },
    ],
  ])('begins anew where the file %s', (_, change) => {
    const file = fileIn(temporaryFolder());
    const tail = tailLines(file);
    writeFileSync(file, 'old one\nold two\n');
    tail.read();
    change(file);
    const { lines, restarted } = tail.read();
    expect(restarted).toBe(true);
    expect(lines[0]).toMatch(/^(new|NEW one|moved one)$/);
  });

  it('begins anew where the file was cut and has grown beyond what was read', () => {
    const file = fileIn(temporaryFolder());
    const tail = tailLines(file);
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    tail.read();
    // As a run that goes on from a checkpoint: the beginning is the same, the end is other times of the same steps.
    const again = [...lines.slice(0, 90), ...Array.from({ length: 20 }, (_, i) => `again ${i}`)];
    writeFileSync(file, `${again.join('\n')}\n`);
    expect(tail.read()).toEqual({ lines: again, restarted: true });
  });

  it('begins anew where the file went away and came back', () => {
    const file = fileIn(temporaryFolder());
    const tail = tailLines(file);
    writeFileSync(file, 'one\n');
    tail.read();
    rmSync(file);
    expect(tail.read()).toEqual({ lines: [], restarted: true });
    writeFileSync(file, 'one\n');
    expect(tail.read()).toEqual({ lines: ['one'], restarted: false });
  });

  it('passes over a line that no run writes, and reads on behind it', () => {
    const file = fileIn(temporaryFolder());
    writeFileSync(file, `${'x'.repeat(6 << 20)}\nafter\n`);
    expect(tailLines(file).read().lines).toEqual(['after']);
  });

  it('does not take a folder or a link to nowhere for a file', () => {
    const folder = temporaryFolder();
    expect(tailLines(folder).read().lines).toEqual([]);
    symlinkSync(join(folder, 'nowhere'), fileIn(folder));
    expect(tailLines(fileIn(folder)).read().lines).toEqual([]);
  });
});
