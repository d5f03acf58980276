import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LorikeetError } from '../../src/errors.ts';
import { type WatchOptions, watch } from '../../src/watch/watch.ts';
import { generatedRun, lines, writeRun } from '../report/generated-run.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';
import { readEvents, type StreamEvent, stepsOf } from './event-stream.ts';

const run = generatedRun();
const steps = run.events.filter(({ type }) => type === 'step');

/** A run that has come as far as `step` and goes on. */
function runningRun(step: number): string {
  const { finish: _, ...record } = run.record;
  const begun = run.events.filter((event) => event.type !== 'finish' && event.step <= step);
  return writeRun(join(temporaryFolder(), 'run'), {
    ...run,
    record: { ...record, status: 'running' },
    events: begun,
  });
}

const finishedRun = () => writeRun(join(temporaryFolder(), 'run'), run);
const append = (folder: string, from: number, to: number) =>
  appendFileSync(join(folder, 'metrics.jsonl'), lines(steps.slice(from, to)));

async function serve(folder: string, options?: WatchOptions) {
  const watching = await watch(folder, options);
  onTestFinished(watching.close);
  return watching;
}

/** What a client that may send any header gets. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET', path = '/') {
  return new Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }>(
    (resolve, reject) => {
      const asked = request(url, { method, headers, path }, (response) => {
        let body = '';
        response.on('data', (data) => {
          body += data;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers }));
      });
      asked.on('error', reject);
      asked.end();
    },
  );
}

const has = (event: string) => (events: StreamEvent[]) => events.some((one) => one.event === event);

describe('the page', () => {
  it('is the report, live, and asks nothing of anybody else', async () => {
    const { url } = await serve(runningRun(30));
    const { status, body, headers } = await ask(url);
    expect(status).toBe(200);
    expect(body).toContain('<section id="curves"');
    expect(body).toContain('uPlot');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("connect-src 'self'");
    expect(headers['content-security-policy']).not.toMatch(/unsafe-inline[^;]*script|script-src[^;]*unsafe/);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it('is served on 127.0.0.1 alone', async () => {
    const { url } = await serve(finishedRun());
    expect(new URL(url).hostname).toBe('127.0.0.1');
  });
});

describe('events', () => {
  it('bring what there is, then what comes, each step once', async () => {
    const folder = runningRun(30);
    const { url } = await serve(folder);
    let asked = false;
    const seen = readEvents(`${url}events`, (events) => {
      if (!asked && stepsOf(events).length === 30) {
        asked = true;
        append(folder, 30, 40);
      }
      return stepsOf(events).length >= 40;
    });
    expect(stepsOf(await seen)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('go on where a watcher was, also at a server that was started anew', async () => {
    const folder = runningRun(30);
    const first = await watch(folder);
    const before = await readEvents(`${first.url}events`, has('state'));
    await first.close();
    append(folder, 30, 45);
    const second = await serve(folder, { port: Number(new URL(first.url).port) });
    const after = await readEvents(`${second.url}events`, has('state'), {
      'Last-Event-ID': before.at(-1)!.id,
    });
    expect([...stepsOf(before), ...stepsOf(after)]).toEqual(Array.from({ length: 45 }, (_, i) => i + 1));
  });

  it('do not send the sections of a page that has them', async () => {
    const { url } = await serve(runningRun(30));
    const before = await readEvents(`${url}events`, has('state'));
    expect(has('sections')(before)).toBe(true);
    const after = await readEvents(`${url}events`, has('state'), { 'Last-Event-ID': before.at(-1)!.id });
    expect(after.map(({ event }) => event)).toEqual(['state']);
  });

  it('wait with half a line', async () => {
    const folder = runningRun(30);
    const { url } = await serve(folder);
    const [line] = lines(steps.slice(30, 31)).split('\n');
    let asked = false;
    const seen = readEvents(`${url}events`, (events) => {
      if (!asked && has('state')(events)) {
        asked = true;
        appendFileSync(join(folder, 'metrics.jsonl'), line.slice(0, 20));
        setTimeout(() => appendFileSync(join(folder, 'metrics.jsonl'), `${line.slice(20)}\n`), 500);
      }
      return stepsOf(events).length > 30;
    });
    expect(stepsOf(await seen).at(-1)).toBe(31);
  });

  it('send the whole page anew where another run took the place of this one', async () => {
    const folder = runningRun(30);
    const { url } = await serve(folder);
    const before = await readEvents(`${url}events`, has('state'));
    const other = generatedRun({ steps: 12 }, 2);
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeRun(folder, other);
    const after = await readEvents(`${url}events`, has('restart'), { 'Last-Event-ID': before.at(-1)!.id });
    expect(after.at(-1)!.event).toBe('restart');
  });

  it('end with a run that is over', async () => {
    const { url } = await serve(finishedRun());
    const events = await readEvents(`${url}events`, () => false);
    expect(events.at(-1)!.event).toBe('end');
    expect(events.find(({ event }) => event === 'state')!.data).toMatchObject({ status: 'finished' });
  });

  it('tell of the end when it comes', async () => {
    const folder = runningRun(60);
    const { url } = await serve(folder);
    const seen = readEvents(`${url}events`, (events) => {
      if (has('state')(events) && !has('end')(events)) {
        writeFileSync(join(folder, 'metrics.jsonl'), lines(run.events));
        writeFileSync(join(folder, 'run.json'), JSON.stringify(run.record));
      }
      return has('end')(events);
    });
    expect((await seen).findLast(({ event }) => event === 'state')!.data).toMatchObject({
      status: 'finished',
    });
  });

  it('go to 32 at a time, and no warning of it to the terminal', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const folder = runningRun(60);
    const { url } = await serve(folder);
    const watchers = Array.from({ length: 8 }, () => readEvents(`${url}events`, has('state')));
    for (const events of await Promise.all(watchers)) expect(stepsOf(events)).toHaveLength(60);
    // 32 are let in, one more is told to wait.
    const open = Array.from({ length: 32 }, () => new AbortController());
    await Promise.all(open.map(({ signal }) => fetch(`${url}events`, { signal })));
    expect((await ask(url, {}, 'GET', '/events')).status).toBe(503);
    for (const controller of open) controller.abort();
    expect(warnings).toEqual([]);
  });
});

describe('what is refused', () => {
  it('is every other name, method and path', async () => {
    const { url } = await serve(finishedRun());
    expect((await ask(url, { Host: 'evil.example' })).status).toBe(403);
    expect((await ask(url, { Host: `evil.example:${new URL(url).port}` })).status).toBe(403);
    expect((await ask(url, { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' })).status).toBe(403);
    expect((await ask(url, { Host: `localhost:${new URL(url).port}` })).status).toBe(200);
    expect((await ask(url, {}, 'POST')).status).toBe(405);
    for (const path of [
      '/run.json',
      '/../run.json',
      '/%2e%2e/%2e%2e/etc/passwd',
      '//etc/passwd',
      '/scores/last.jsonl',
    ]) {
      const { status, body } = await ask(url, {}, 'GET', path);
      expect(status).toBe(404);
      expect(body).toBe('Not found. The run is shown at /.\n');
    }
  });

  it('is a run whose files are links that lead out of it', async () => {
    const folder = finishedRun();
    const elsewhere = join(temporaryFolder(), 'metrics.jsonl');
    writeFileSync(elsewhere, readFileSync(join(folder, 'metrics.jsonl')));
    rmSync(join(folder, 'metrics.jsonl'));
    symlinkSync(elsewhere, join(folder, 'metrics.jsonl'));
    await expect(watch(folder)).rejects.toThrow('a link that leads out of it');
  });

  it('is a folder that is no run, and a port that is taken', async () => {
    const refusal = (promise: Promise<unknown>) => promise.catch((error: LorikeetError) => error);
    expect(await refusal(watch(temporaryFolder()))).toMatchObject({ code: 'run' });
    expect(await refusal(watch(join(temporaryFolder(), 'nowhere')))).toMatchObject({ code: 'run' });
    const { url } = await serve(finishedRun());
    const error = await refusal(watch(finishedRun(), { port: Number(new URL(url).port) }));
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('--port 0') });
  });
});

it('closes with the signal, and its open connections with it', async () => {
  const stop = new AbortController();
  const { url } = await watch(runningRun(30), { signal: stop.signal });
  const seen = readEvents(`${url}events`, (events) => {
    if (has('state')(events)) stop.abort();
    return false;
  }).catch(() => []);
  await seen;
  await expect(fetch(url)).rejects.toThrow();
});
