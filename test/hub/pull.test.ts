/** Against a server on this machine that plays the hub; the layout of the cache is what Python's huggingface_hub made. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PullEvent } from '../../src/hub/pull.ts';
import { folderOf } from '../data/folder.ts';
import { commit, etagOf, gitHash, model, type PlayedHub, playHub, sha256 } from './hub-server.ts';
import { files, setUp, weights } from './pulling.ts';

const partialOf = (repo: string) => join(repo, 'blobs', `${sha256(weights)}.kept.incomplete`);

describe('a pulled model', () => {
  it('lies in the cache as huggingface_hub lays it', async () => {
    const { cache } = JSON.parse(
      readFileSync(new URL('../fixtures/hub/cache.json', import.meta.url), 'utf8'),
    );
    const { repo, pull } = setUp(await playHub(files));
    const pulled = await pull();
    const found: Record<string, object> = {};
    for (const name of readdirSync(repo, { recursive: true }).map(String)) {
      const path = join(repo, name);
      if (lstatSync(path).isSymbolicLink()) found[name] = { link: readlinkSync(path) };
      else if (statSync(path).isFile()) found[name] = { sha256: sha256(readFileSync(path)) };
    }
    expect(found).toEqual(cache);
    expect(pulled).toEqual({
      id: model,
      revision: 'main',
      commit,
      folder: join(repo, 'snapshots', commit),
      files: 3,
      bytes: 5000 + 27 + 3,
    });
  });

  it('has the files that training needs and no others', async () => {
    const needed = [
      'config.json',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.json',
      'LICENSE',
      'NOTICE.txt',
    ]
      .concat('merges.txt', 'chat_template.jinja', 'chat_template.json', 'preprocessor_config.json')
      .concat(
        'model.safetensors.index.json',
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
      );
    const others = [
      'pytorch_model.bin',
      'original.pth',
      'model.gguf',
      'model.onnx',
      'modeling.py',
      'README.md',
      'LICENSES.tar',
    ].concat('.gitattributes', 'consolidated.safetensors', 'adapter_model.safetensors', 'training_args.bin');
    const served = Object.fromEntries(
      [...needed, ...others].map((name) => [name, Buffer.from(`of ${name}`)]),
    );
    const { pull } = setUp(await playHub(served));
    const { folder } = await pull();
    expect(readdirSync(folder).sort()).toEqual([...needed].sort());
    for (const name of needed) expect(readFileSync(join(folder, name), 'utf8')).toBe(`of ${name}`);
  });

  it('takes one file of weights where a repository has shards of the same beside it', async () => {
    const { pull } = setUp(
      await playHub({ ...files, 'model-00001-of-00001.safetensors': Buffer.from('twice') }),
    );
    expect(readdirSync((await pull()).folder)).not.toContain('model-00001-of-00001.safetensors');
  });

  it('is not fetched again, and a file that it lacks alone', async () => {
    const hub = await playHub(files);
    const { pull, repo, events } = setUp(hub);
    await pull();
    const before = hub.asked.length;
    await pull();
    expect(hub.asked.slice(before).map(({ path }) => path)).toEqual([
      `/api/models/${model}/revision/main`,
      `/api/models/${model}/tree/${commit}`,
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'plan', here: 5030, bytes: 5030 });
    writeFileSync(join(repo, 'blobs', sha256(weights)), 'cut'); // damaged since
    await pull();
    expect(readFileSync(join(repo, 'snapshots', commit, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('is told on the way: what there is to fetch, then every byte', async () => {
    const { pull, events } = setUp(await playHub(files));
    await pull();
    expect(events[0]).toEqual({
      type: 'plan',
      id: model,
      revision: 'main',
      commit,
      files: 3,
      bytes: 5030,
      here: 0,
    });
    const here = events.flatMap((event) => (event.type === 'progress' ? [event.here] : []));
    expect(here).toEqual([...here].sort((a, b) => a - b));
    expect(here.at(-1)).toBe(5030);
  });

  it.each([
    ['a branch with a slash', 'refs/pr/7', true],
    ['a commit', commit, false],
  ])('comes at %s', async (_, revision, hasRef) => {
    const { pull, repo } = setUp(await playHub(files, revision));
    expect(await pull(`${model}@${revision}`)).toMatchObject({ revision, commit });
    const ref = join(repo, 'refs', revision);
    expect(existsSync(ref)).toBe(hasRef);
    if (hasRef) expect(readFileSync(ref, 'utf8')).toBe(commit);
  });

  it('keeps what another revision has: a blob is there once, and both snapshots name it', async () => {
    const home = folderOf({});
    const { repo, pull } = setUp(await playHub(files), home);
    await pull();
    const other = join(repo, 'snapshots', 'f'.repeat(40));
    mkdirSync(other);
    await pull();
    expect(existsSync(other)).toBe(true);
    const real = realpathSync(join(repo, 'snapshots', commit, 'config.json'));
    expect(relative(realpathSync(repo), real)).toBe(join('blobs', gitHash(files['config.json'])));
  });
});

describe('the token', () => {
  it('goes to the hub, and not to the store that it redirects to', async () => {
    const hub = await playHub(files);
    await setUp(hub).pull(model, { token: 'anything-a-mirror-gives' });
    const tokens = (host: string) =>
      new Set(hub.asked.filter((one) => one.host === host).map(({ authorization }) => authorization));
    expect(tokens('hub')).toEqual(new Set(['Bearer anything-a-mirror-gives']));
    expect(tokens('store')).toEqual(new Set([undefined]));
  });

  it('does not follow a list of files to another address', async () => {
    const hub = await playHub(files);
    const stranger = await playHub(files);
    hub.instead = ({ path }, response) => {
      if (path.includes('/tree/')) response.setHeader('link', `<${stranger.url}/api/next>; rel="next"`);
      return false;
    };
    await setUp(hub).refusal(model, { token: 'secret' });
    expect(stranger.asked).toEqual([]);
  });
});

describe('a connection that breaks', () => {
  it('goes on from where it broke, waiting longer each time', async () => {
    const hub = await playHub(files);
    hub.cutAfter = 2000;
    const { pull, waits } = setUp(hub);
    const { folder } = await pull();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    const starts = hub.asked.filter(({ host }) => host === 'store').map(({ range }) => range);
    expect(starts).toEqual([undefined, 'bytes=2000-', 'bytes=4000-']);
    expect(waits).toEqual([1, 2]);
  });

  it('is given up after a while, and what arrived is kept for the next pull', async () => {
    const hub = await playHub(files);
    hub.cutAfter = 100;
    const { pull, refusal, repo, waits, blobs } = setUp(hub);
    const error = await refusal();
    expect(error.what).toMatch(
      /model\.safetensors expected 5000 bytes, got 600: the connection broke 6 times/,
    );
    expect(waits).toEqual([1, 2, 4, 8, 16]);
    expect(existsSync(join(repo, 'refs/main'))).toBe(false);
    expect(existsSync(join(repo, 'snapshots'))).toBe(false);
    expect(blobs().filter((name) => name.startsWith(sha256(weights)))).toEqual([
      `${sha256(weights)}.kept.incomplete`,
    ]);
    hub.cutAfter = Number.POSITIVE_INFINITY;
    await pull();
    expect(hub.ranges('model.safetensors').at(-1)).toBe('bytes=600-');
    expect(blobs()).toEqual(Object.values(files).map(etagOf).sort());
  });

  it('begins anew where the store knows no ranges', async () => {
    const hub = await playHub(files);
    const { pull, repo } = setUp(hub);
    mkdirSync(join(repo, 'blobs'), { recursive: true });
    writeFileSync(partialOf(repo), weights.subarray(0, 3000));
    hub.instead = ({ host }, response) => {
      if (host !== 'store') return false;
      response.writeHead(200).end(weights);
      return true;
    };
    const { folder } = await pull();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('goes on with what a process that is gone was holding', async () => {
    const hub = await playHub(files);
    const { pull, refusal, repo, blobs } = setUp(hub);
    hub.cutAfter = 100;
    await refusal();
    const [kept] = blobs().filter((name) => name.endsWith('.incomplete'));
    const held = `${sha256(weights)}.${hostname().replace(/[^A-Za-z0-9-]/g, '')}_4194305_0123abcd.incomplete`;
    renameSync(join(repo, 'blobs', kept), join(repo, 'blobs', held)); // above the largest process id
    hub.cutAfter = Number.POSITIVE_INFINITY;
    await pull();
    expect(hub.ranges('model.safetensors').at(-1)).toBe('bytes=600-');
  });
});

describe('wrong bytes', () => {
  it('are dropped and told, and nothing has their name', async () => {
    const hub = await playHub(files);
    const { refusal, pull, repo, blobs } = setUp(hub);
    const wrong = weights.slice();
    wrong[4321] ^= 1;
    hub.instead = ({ host }, response) => {
      if (host === 'store') response.writeHead(200).end(wrong);
      return host === 'store';
    };
    const error = await refusal();
    expect(error.what).toContain(`model.safetensors expected 5000 bytes with the hash ${sha256(weights)}`);
    expect(error.what).toContain(sha256(wrong));
    expect(error.fix).toMatch(/dropped/);
    expect(blobs().some((name) => name.startsWith(sha256(weights)))).toBe(false);
    expect(existsSync(join(repo, 'refs'))).toBe(false);
    hub.instead = () => false;
    await pull();
  });

  it('of a small file are found by the hash of git', async () => {
    const hub = await playHub(files);
    hub.instead = ({ path }, response) => {
      const isConfig = path.endsWith('/config.json');
      if (isConfig) response.writeHead(200).end('{"model_type": "qwen2_vX"}\n');
      return isConfig;
    };
    expect((await setUp(hub).refusal()).what).toContain(gitHash(files['config.json']));
  });

  it('in a kept beginning are found at the end', async () => {
    const { refusal, pull, repo } = setUp(await playHub(files));
    mkdirSync(join(repo, 'blobs'), { recursive: true });
    writeFileSync(partialOf(repo), new Uint8Array(3000));
    expect((await refusal()).fix).toMatch(/dropped/);
    await pull();
  });

  it('that do not end are stopped', async () => {
    const hub = await playHub(files);
    hub.instead = ({ host }, response) => {
      if (host === 'store') response.writeHead(200).end(new Uint8Array(100_000));
      return host === 'store';
    };
    const { refusal, blobs } = setUp(hub);
    expect((await refusal()).what).toContain('more bytes than that');
    expect(blobs().some((name) => name.includes('incomplete'))).toBe(false);
  });
});

describe('two pulls at once', () => {
  it('end with one whole model, both of them', async () => {
    const hub = await playHub(files);
    hub.cutAfter = 1500;
    const home = folderOf({});
    const [one, other] = [setUp(hub, home), setUp(hub, home)];
    const [a, b] = await Promise.all([one.pull(), other.pull()]);
    expect(a.folder).toBe(b.folder);
    expect(readFileSync(join(a.folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(one.blobs()).toEqual(Object.values(files).map(etagOf).sort());
  });
});

describe('a pull that is stopped', () => {
  it('keeps what arrived, and the next one goes on from there', async () => {
    const hub = await playHub(files);
    const { pull, repo } = setUp(hub);
    const stop = new AbortController();
    hub.instead = ({ host, range }, response) => {
      if (host !== 'store' || range) return false;
      response.writeHead(200, { 'content-length': 5000 }).write(weights.subarray(0, 1234));
      return true; // and hangs
    };
    const onEvent = (event: PullEvent) => {
      if (event.type === 'progress' && event.here >= 1234 + 30) stop.abort();
    };
    await expect(
      pull(model, { options: { signal: stop.signal, onEvent, environment: env(hub, repo) } }),
    ).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(readFileSync(partialOf(repo)).equals(weights.subarray(0, 1234))).toBe(true);
    await pull();
    expect(hub.ranges('model.safetensors').at(-1)).toBe('bytes=1234-');
  });

  const env = (hub: PlayedHub, repo: string) => ({ HF_HOME: dirname(dirname(repo)), HF_ENDPOINT: hub.url });
});
