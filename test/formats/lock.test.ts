import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim, drop, holderOf, isClaim, newClaim } from '../../src/formats/lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Milliseconds that a claim is watched whose process cannot be looked at. */
const patience = 100;
const claims = () => readdirSync(folder).filter(isClaim);

/** A claim that stands as this process would write it, with changes. */
async function leftBehind(changes: object): Promise<string> {
  const name = newClaim();
  await claim(folder, name);
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }));
  return name;
}

describe('a claim', () => {
  it('holds the folder until it is dropped', async () => {
    const first = newClaim();
    expect(await claim(folder, first)).toBeUndefined();
    expect(holderOf(folder, first)).toBeUndefined();
    expect(holderOf(folder)).toMatchObject({ pid: process.pid });
    expect(await claim(folder, newClaim())).toMatchObject({ pid: process.pid, host: expect.any(String) });
    expect(claims()).toEqual([first]);
    drop(folder, first);
    expect(await claim(folder, newClaim())).toBeUndefined();
  });

  it('is given to one at most of many who ask at once', async () => {
    for (let round = 0; round < 10; round++) {
      const names = Array.from({ length: 8 }, newClaim);
      const answers = await Promise.all(names.map((name) => claim(folder, name)));
      const held = names.filter((_, i) => answers[i] === undefined);
      expect(held.length).toBeLessThanOrEqual(1);
      expect(claims()).toEqual(held);
      for (const name of held) drop(folder, name);
    }
  });

  it.skipIf(process.platform !== 'linux')('of a process that was killed holds nobody up', async () => {
    const child = await sleeper();
    const began = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[19];
    await leftBehind({ pid: child.pid, began });
    expect(await claim(folder, newClaim())).toMatchObject({ pid: child.pid });
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('close', resolve));
    const name = newClaim();
    expect(await claim(folder, name)).toBeUndefined();
    expect(claims()).toEqual([name]);
  });

  it.skipIf(process.platform !== 'linux')(
    'of an earlier process of the same number, or of before the machine was switched off, neither',
    async () => {
      await leftBehind({ began: '1' });
      const first = newClaim();
      expect(await claim(folder, first)).toBeUndefined();
      drop(folder, first);
      await leftBehind({ boot: 'another' });
      expect(await claim(folder, newClaim())).toBeUndefined();
    },
  );

  it('of another machine holds as long as it gives signs of life', async () => {
    const name = await leftBehind({ host: 'elsewhere' });
    expect(holderOf(folder)).toBeUndefined(); // nothing certain
    let beat = 0;
    const timer = setInterval(() => utimesSync(join(folder, name), 1000 + beat, 1000 + beat++), 5);
    expect(await claim(folder, newClaim(), patience)).toMatchObject({ host: 'elsewhere' });
    clearInterval(timer);
    const own = newClaim();
    expect(await claim(folder, own, patience)).toBeUndefined();
    expect(claims()).toEqual([own]);
  });

  it('that cannot be read says nothing, and gives way where it is silent', async () => {
    for (const text of ['', '{"pid": "x"}', 'null']) {
      writeFileSync(join(folder, newClaim()), text);
      const own = newClaim();
      expect(await claim(folder, own, patience)).toBeUndefined();
      drop(folder, own);
    }
    expect(claims()).toEqual([]);
  });
});

async function sleeper(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)']);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}
