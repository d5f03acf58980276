import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DiskOptions, DiskShelf } from '../../src/cache/disk.ts';
import { type EntryShape, entryBytes } from '../../src/cache/entry.ts';
import { entriesBeside } from '../../src/cache/shelves.ts';

const shape: EntryShape = { rows: 4, columns: 250, precision: 'f32' };
const size = entryBytes(shape); // 4,064
const shelfName = (digit: string) => `${digit.repeat(16)}-${'0'.repeat(16)}`;
const matrix = (seed: number) => Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i * seed));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-shelf-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(folder: string, changes: Partial<DiskOptions> = {}) {
  const notices: string[] = [];
  const options: DiskOptions = {
    folder,
    shelf: shelfName('a'),
    owner: 'test',
    about: { what: 'a test' },
    most: 1e6,
    leaveFree: 0,
    tell: (notice) => notices.push(notice),
    ...changes,
  };
  return { shelf: new DiskShelf(options), notices };
}

const fileOf = (folder: string, name: string, digit = 'a') => join(folder, shelfName(digit), `${name}.entry`);

describe('a shelf on disk', () => {
  it('gives the next process what this one put there, and leaves no other file', () => {
    const folder = newFolder();
    const { shelf } = open(folder);
    expect(shelf.get('x', shape)).toBeUndefined();
    expect(shelf.put('x', shape, matrix(1))).toBe(true);
    const { shelf: later, notices } = open(folder);
    expect(later.has('x')).toBe(true);
    expect(later.get('x', shape)).toEqual(matrix(1));
    expect(notices).toEqual([]);
    expect(readdirSync(join(folder, shelfName('a'))).sort()).toEqual(['about.json', 'x.entry']);
    expect(JSON.parse(readFileSync(join(folder, shelfName('a'), 'about.json'), 'utf8'))).toEqual({
      what: 'a test',
    });
    // What is kept of pictures is for its owner alone.
    if (process.platform !== 'win32') {
      expect(statSync(join(folder, shelfName('a'))).mode & 0o077).toBe(0);
      expect(statSync(fileOf(folder, 'x')).mode & 0o077).toBe(0);
    }
  });

  const spoil: [string, string, (file: string) => void][] = [
    ['a changed byte', 'damaged', (file) => flip(file, 500)],
    ['a changed header', 'damaged', (file) => flip(file, 30)],
    ['half of it', 'cut short', (file) => truncateSync(file, size / 2)],
    ['nothing of it', 'cut short', (file) => truncateSync(file, 0)],
    ['more than it', 'damaged', (file) => writeFileSync(file, Buffer.alloc(3 * size))],
    ['another version', 'of another version', (file) => flip(file, 8)],
    [
      'a folder in its place',
      'damaged',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ];

  it.each(spoil)('does not believe an entry with %s, says so once, and replaces it', (_, fault, change) => {
    const folder = newFolder();
    open(folder).shelf.put('x', shape, matrix(1));
    open(folder).shelf.put('y', shape, matrix(2));
    for (const name of ['x', 'y']) change(fileOf(folder, name));
    const { shelf, notices } = open(folder);
    for (const name of ['x', 'y']) expect(shelf.get(name, shape)).toBeUndefined();
    expect(shelf.faults).toBe(2);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`is ${fault}, ${fileOf(folder, 'x')}: it is computed again and replaced`);
    if (statSync(fileOf(folder, 'x')).isDirectory()) return;
    expect(shelf.put('x', shape, matrix(1))).toBe(true);
    expect(open(folder).shelf.get('x', shape)).toEqual(matrix(1));
  });

  it('takes no entry that was made for another owner or has another name', () => {
    const folder = newFolder();
    open(folder).shelf.put('x', shape, matrix(1));
    const { shelf } = open(folder, { owner: 'somebody else' });
    expect(shelf.get('x', shape)).toBeUndefined();
    writeFileSync(fileOf(folder, 'y'), readFileSync(fileOf(folder, 'x')));
    expect(open(folder).shelf.get('y', shape)).toBeUndefined();
  });

  it('takes an entry that is gone for one that never was', () => {
    const folder = newFolder();
    open(folder).shelf.put('x', shape, matrix(1));
    const { shelf, notices } = open(folder);
    rmSync(fileOf(folder, 'x'));
    expect(shelf.get('x', shape)).toBeUndefined();
    expect([shelf.faults, notices]).toEqual([0, []]);
    expect(shelf.put('x', shape, matrix(1))).toBe(true);
  });

  it('counts what another maker left beside it', () => {
    const folder = newFolder();
    open(folder).shelf.put('x', shape, matrix(1));
    const other = `${'a'.repeat(16)}-${'1'.repeat(16)}`;
    open(folder, { shelf: other }).shelf.put('y', shape, matrix(1));
    open(folder, { shelf: shelfName('b') }).shelf.put('z', shape, matrix(1));
    expect(entriesBeside(folder, shelfName('a'))).toBe(1);
    expect(entriesBeside(join(folder, 'absent'), shelfName('a'))).toBe(0);
  });
});

describe('a bounded shelf', () => {
  it('lets the longest unused go, those of other shelves too, and never its own', () => {
    const folder = newFolder();
    const most = 3 * size + 10;
    const { shelf: first } = open(folder, { most, shelf: shelfName('b') });
    for (const name of ['old', 'used', 'new']) first.put(name, shape, matrix(1));
    // By age alone `old` and `new` would go before `used`.
    utimesSync(fileOf(folder, 'used', 'b'), 1000, 1000);
    utimesSync(fileOf(folder, 'old', 'b'), 2000, 2000);
    utimesSync(fileOf(folder, 'new', 'b'), 3000, 3000);
    open(folder, { shelf: shelfName('b') }).shelf.get('used', shape);
    const { shelf, notices } = open(folder, { most });
    expect(shelf.put('x', shape, matrix(2))).toBe(true);
    const left = () => readdirSync(join(folder, shelfName('b'))).filter((name) => name.endsWith('.entry'));
    expect(left()).not.toContain('old.entry');
    expect(left()).toContain('used.entry');
    for (const name of ['y', 'z']) expect(shelf.put(name, shape, matrix(3))).toBe(true);
    expect(existsSync(join(folder, shelfName('b')))).toBe(false); // an empty shelf goes as well
    expect(shelf.put('w', shape, matrix(4))).toBe(false);
    expect(shelf.put('v', shape, matrix(5))).toBe(false);
    expect(['x', 'y', 'z'].map((name) => shelf.get(name, shape) !== undefined)).toEqual([true, true, true]);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain('it may hold 12.2 kB (cache.disk), and what this run uses takes them');
  });

  it('holds no more than it may, over many entries and several runs', () => {
    const folder = newFolder();
    const most = 10 * size;
    for (let run = 0; run < 4; run++) {
      const { shelf } = open(folder, { most, shelf: shelfName(String(run)) });
      for (let i = 0; i < 7; i++) expect(shelf.put(`n${i}`, shape, matrix(i))).toBe(true);
      const files = readdirSync(folder).flatMap((name) =>
        readdirSync(join(folder, name)).filter((file) => file.endsWith('.entry')),
      );
      expect(files.length * size).toBeLessThanOrEqual(most);
    }
  });

  it('removes what killed processes left, and nothing of anybody else', () => {
    const folder = newFolder();
    const { shelf } = open(folder, { most: 2 * size });
    shelf.put('x', shape, matrix(1));
    const temporary = join(folder, shelfName('a'), '.0123abcd.tmp');
    for (const file of [temporary, join(folder, 'mine.txt'), join(folder, shelfName('a'), 'mine.txt')]) {
      writeFileSync(file, 'x');
      utimesSync(file, 1000, 1000);
    }
    const { shelf: next } = open(folder, { most: 2 * size });
    for (const name of ['y', 'z']) next.put(name, shape, matrix(2));
    expect(existsSync(temporary)).toBe(false);
    expect(existsSync(join(folder, 'mine.txt'))).toBe(true);
    expect(existsSync(join(folder, shelfName('a'), 'mine.txt'))).toBe(true);
  });

  it('takes nothing from under another run that is writing it', () => {
    const folder = newFolder();
    const temporary = join(folder, shelfName('a'), '.0123abcd.tmp');
    open(folder).shelf.put('x', shape, matrix(1));
    writeFileSync(temporary, Buffer.alloc(size));
    utimesSync(temporary, new Date(), new Date(Date.now() - 1000));
    const { shelf } = open(folder, { most: 2 * size });
    expect(shelf.put('y', shape, matrix(2))).toBe(true);
    expect(shelf.put('z', shape, matrix(2))).toBe(false);
    expect(existsSync(temporary)).toBe(true);
  });

  it('leaves the disk to others', () => {
    const { shelf, notices } = open(newFolder(), { leaveFree: Number.MAX_SAFE_INTEGER });
    expect(shelf.put('x', shape, matrix(1))).toBe(false);
    expect(notices.join()).toContain('of its disk would stay free for others');
  });
});

describe('a shelf that cannot be written', () => {
  const refuse = (code: string) => () => {
    throw Object.assign(new Error(`${code}: refused`), { code });
  };

  it.each([
    ['ENOSPC', 'no space is left on its disk'],
    ['EROFS', 'its disk is read-only'],
    ['EACCES', 'this user may not write there'],
    ['EIO', 'EIO: refused'],
  ])('for %s is still read, and says once why it is not written', (code, reason) => {
    const folder = newFolder();
    open(folder).shelf.put('x', shape, matrix(1));
    const { shelf, notices } = open(folder, { write: refuse(code) });
    expect(shelf.put('y', shape, matrix(2))).toBe(false);
    expect(shelf.put('z', shape, matrix(2))).toBe(false);
    expect(shelf.get('x', shape)).toEqual(matrix(1));
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`${folder}: ${reason}`);
  });

  it('because a file stands in its place', () => {
    const folder = newFolder();
    const file = join(folder, 'file');
    writeFileSync(file, 'mine');
    const { shelf, notices } = open(join(file, 'cache'));
    expect(shelf.put('x', shape, matrix(1))).toBe(false);
    expect(notices.join()).toContain('a file stands where a folder should');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('leaves nothing half written behind', () => {
    const folder = newFolder();
    const { shelf } = open(folder, {
      write: (file, [header]) => {
        writeFileSync(file, header);
        refuse('ENOSPC')();
      },
    });
    expect(shelf.put('x', shape, matrix(1))).toBe(false);
    expect(readdirSync(join(folder, shelfName('a')))).toEqual([]);
  });
});

/** A file system of its own, where this user may mount one. */
function mounted(options: string): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true });
}

describe('a disk of its own (skipped where this user may not mount one)', () => {
  it('that is full', ({ skip }) => {
    const folder = mounted('size=64k');
    if (!folder) return skip();
    onTestFinished(() => unmount(folder));
    const { shelf, notices } = open(folder);
    const kept = Array.from({ length: 30 }, (_, i) => shelf.put(`n${i}`, shape, matrix(i)));
    const most = kept.indexOf(false);
    expect(most).toBeGreaterThan(5);
    expect(kept.slice(most)).not.toContain(true);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain('no space is left on its disk');
    const { shelf: later } = open(folder);
    for (let i = 0; i < most; i++) expect(later.get(`n${i}`, shape)).toEqual(matrix(i));
    expect(later.faults).toBe(0);
  });

  it('that is read-only', ({ skip }) => {
    const folder = mounted('size=1m');
    if (!folder) return skip();
    onTestFinished(() => unmount(folder));
    open(folder).shelf.put('x', shape, matrix(1));
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const { shelf, notices } = open(folder);
    expect(shelf.get('x', shape)).toEqual(matrix(1));
    expect(shelf.put('y', shape, matrix(2))).toBe(false);
    expect(notices.join()).toContain('its disk is read-only');
  });
});

it('two processes on one folder at once see whole entries alone', async () => {
  const folder = newFolder();
  // Room for a third of what they write, so that each also takes away what the other reads.
  const program = `
    import { DiskShelf } from ${JSON.stringify(new URL('../../dist/cache/disk.js', import.meta.url).href)};
    const shape = ${JSON.stringify(shape)};
    const matrix = (seed) => Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i * seed));
    const options = { folder: ${JSON.stringify(folder)}, shelf: '${shelfName('a')}', owner: 'test', about: {}, most: ${20 * size}, leaveFree: 0 };
    let wrong = 0, hits = 0;
    for (let round = 0; round < 40; round++) {
      const shelf = new DiskShelf({ ...options, tell: (notice) => { if (!notice.includes('cache.disk')) { console.log(notice); wrong++; } } });
      for (let i = 0; i < 60; i++) {
        const seed = (i * 7 + round * 13 + Number(process.argv[1])) % 60;
        const found = shelf.get('n' + seed, shape);
        const expected = matrix(seed);
        if (found) { hits++; if (!found.every((value, j) => value === expected[j])) wrong++; }
        else shelf.put('n' + seed, shape, expected);
      }
      wrong += shelf.faults;
    }
    console.log(JSON.stringify({ wrong, hits }));
  `;
  const runs = ['1', '2'].map(
    (seed) =>
      new Promise<string>((resolve, reject) => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program, seed]);
        let out = '';
        child.stdout.on('data', (data) => {
          out += data;
        });
        child.stderr.on('data', (data) => {
          out += data;
        });
        child.on('error', reject).on('close', () => resolve(out));
      }),
  );
  for (const out of await Promise.all(runs)) {
    expect(out).toMatch(/^\{"wrong":0,"hits":\d+\}\n$/);
    expect(JSON.parse(out).hits).toBeGreaterThan(0);
  }
});

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] ^= 1;
  writeFileSync(file, bytes);
}
