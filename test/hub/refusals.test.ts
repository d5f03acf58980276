/** What goes wrong before or instead of a pull, each told in one sentence with the way out. */
import { readdirSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../data/folder.ts';
import { model, playHub } from './hub-server.ts';
import { files, setUp, weights } from './pulling.ts';

describe('a hub that refuses', () => {
  const answering = (
    status: number,
    headers: Record<string, string> = {},
    times = Number.POSITIVE_INFINITY,
  ) => {
    let left = times;
    return (_: unknown, response: ServerResponse) => {
      if (left-- <= 0) return false;
      response.writeHead(status, headers).end();
      return true;
    };
  };

  it.each<[string, number, Record<string, string>, string | undefined, RegExp, RegExp]>([
    ['a gated model', 403, { 'x-error-code': 'GatedRepo' }, 'x', /gated.*token of HF_TOKEN has no access/, /licence at .*Qwen\/Tiny-VL, then set HF_TOKEN/],
    ['a gated model, no token', 401, { 'x-error-code': 'GatedRepo' }, undefined, /gated.*no token was sent/, /HF_TOKEN/],
    ['a private model', 401, {}, undefined, /none of this name, or it is private/, /HF_TOKEN/],
    ['a bad token', 401, { 'x-error-message': 'Invalid\ttoken' }, 'x', /token of HF_TOKEN, got 401: Invalid token/, /token is valid/],
    ['no such model', 404, { 'x-error-code': 'RepoNotFound' }, 'x', /no such model/, /Check the name/],
    ['no such revision', 404, { 'x-error-code': 'RevisionNotFound' }, 'x', /revision main expected/, /branches and tags/],
    ['something odd', 418, {}, 'x', /answered 418/, /Try again/],
  ])('%s is told with the way out', async (_, status, headers, token, what, fix) => {
    const hub = await playHub(files);
    hub.instead = answering(status, headers);
    const { refusal, blobs, waits } = setUp(hub);
    const error = await refusal(model, { token });
    expect(error.what).toMatch(what);
    expect(error.fix).toMatch(fix);
    expect(waits).toEqual([]);
    expect(blobs()).toEqual([]);
  }); // biome-ignore format: one line a case reads as a table

  it('for a while (429) is waited for as long as it asks', async () => {
    const hub = await playHub(files);
    hub.instead = answering(429, { 'retry-after': '7' }, 2);
    const { pull, waits, events } = setUp(hub);
    await pull();
    expect(waits).toEqual([7, 7]);
    expect(events[0]).toEqual({ type: 'wait', seconds: 7, reason: 'the hub asks to wait (429)' });
  });

  it.each<[string, Record<string, string>, number[]]>([
    ['a number', { 'retry-after': '7' }, [7, 7, 7, 7]],
    ['what it sends in its own header', { ratelimit: '"api";r=0;t=55' }, [55, 55, 55, 55]],
    ['nothing', {}, [1, 2, 4, 8]],
    ['longer than anybody waits', { 'retry-after': '3600' }, []],
  ])('for ever (429, asking for %s) is told', async (_, headers, expected) => {
    const hub = await playHub(files);
    hub.instead = answering(429, headers);
    const { refusal, waits } = setUp(hub);
    const { what, fix } = await refusal();
    expect(what).toMatch(/fewer requests \(429\)/);
    expect(fix).toMatch(expected.length === 0 ? /in 60 minutes/ : /Try again/);
    expect(waits).toEqual(expected);
  });

  it('with 5xx is asked again, and told when it stays so', async () => {
    const hub = await playHub(files);
    hub.instead = answering(503, {}, 3);
    const { pull, waits } = setUp(hub);
    await pull();
    expect(waits).toEqual([1, 2, 4]);
    hub.instead = answering(500);
    expect((await setUp(hub).refusal()).what).toMatch(/answered 500 5 times/);
  });

  it('from its store is not taken for a gated model', async () => {
    const hub = await playHub(files);
    hub.instead = ({ host }, response) => {
      if (host === 'store') response.writeHead(403).end();
      return host === 'store';
    };
    expect((await setUp(hub).refusal()).what).toMatch(/the file store 127\.0\.0\.1:\d+ .* answered 403/);
  });

  it('is none at all: a login page, or no network', async () => {
    const hub = await playHub(files);
    hub.instead = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome</html>');
      return true;
    };
    const { refusal } = setUp(hub);
    expect((await refusal()).fix).toMatch(/login page/);
    const environment = { HF_HOME: folderOf({}), HF_ENDPOINT: 'http://127.0.0.1:9' };
    const error = await refusal(model, { options: { environment } });
    expect(error.what).toMatch(/127\.0\.0\.1:9 expected to be reachable, got /);
  });

  it('breaks off in the middle of its list', async () => {
    const hub = await playHub(files);
    hub.instead = ({ path }, response) => {
      if (!path.includes('/tree/')) return false;
      response.writeHead(200, { 'content-length': 5000 }).write('[{"type":', () => response.destroy());
      return true;
    };
    expect((await setUp(hub).refusal()).what).toMatch(/expected to be reachable, got /);
  });

  it('lists nothing that can be trained', async () => {
    const bin = setUp(await playHub({ 'config.json': files['config.json'], 'pytorch_model.bin': weights }));
    expect((await bin.refusal()).what).toMatch(
      /\.safetensors, got none; it holds config\.json, pytorch_model\.bin/,
    );
    const none = setUp(await playHub({ 'model.safetensors': weights }));
    expect((await none.refusal()).what).toMatch(/config\.json expected/);
  });

  it.each([
    ['a path', [{ type: 'file', path: '../../config.json', size: 3, oid: 'a'.repeat(40) }]],
    ['a hash that is a path', [{ type: 'file', path: 'config.json', size: 3, oid: '../../x' }]],
    ['a size that is none', [{ type: 'file', path: 'config.json', size: -1, oid: 'a'.repeat(40) }]],
  ])('lists %s: nothing is written', async (_, listed) => {
    const hub = await playHub(files);
    hub.instead = ({ path }, response) => {
      if (path.includes('/tree/')) response.writeHead(200).end(JSON.stringify(listed));
      return path.includes('/tree/');
    };
    const { refusal, home } = setUp(hub);
    await refusal();
    expect(readdirSync(home)).toEqual([]);
  });
});

describe('before anything is fetched', () => {
  it('the room on the disk is looked at', async () => {
    const hub = await playHub(files);
    const { refusal } = setUp(hub);
    const { what, fix } = await refusal(model, { machine: { freeBytes: async () => 70_000_000 - 3e6 } });
    expect(what).toMatch(/^5030 bytes are to be fetched into .*, whose disk has 67000000 free$/);
    expect(fix).toMatch(/HF_HOME/);
    expect(hub.asked.filter(({ path }) => path.includes('/resolve/'))).toEqual([]);
  });

  it.each([
    ['HF_HUB_OFFLINE', { HF_HUB_OFFLINE: '1' }, /HF_HUB_OFFLINE=1, which forbids it/],
    ['a mirror that is no address', { HF_ENDPOINT: 'mirror' }, /HF_ENDPOINT expected an address/],
    ['a token with a line break', { HF_TOKEN: 'a\nb' }, /a token expected in HF_TOKEN/],
  ])('%s is told', async (_, environment, what) => {
    const { refusal } = setUp(await playHub(files));
    const error = await refusal(model, {
      options: { environment: { HF_HOME: folderOf({}), ...environment } },
    });
    expect(error.what).toMatch(what);
  });

  it.each([
    'gpt2',
    'a/b/c',
    '../x/y',
    'https://huggingface.co/Qwen/Tiny-VL',
    'Qwen/--x',
    'Qwen/x@../y',
    'Qwen/x@',
  ])('%s is no name of a model', async (id) => {
    const hub = await playHub(files);
    expect((await setUp(hub).refusal(id)).what).toMatch(/a model expected as ORG\/NAME/);
    expect(hub.asked).toEqual([]);
  });

  it('a revision that could be a path is refused', async () => {
    const { refusal } = setUp(await playHub(files));
    for (const revision of ['../main', '/etc', 'a..b', '', '.hidden', 'a/.b'])
      expect((await refusal(model, { options: { revision } })).what).toMatch(/a revision expected/);
    expect((await refusal(`${model}@one`, { options: { revision: 'two' } })).what).toMatch(/one revision/);
  });
});
