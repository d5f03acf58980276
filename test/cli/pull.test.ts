import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../data/folder.ts';
import { commit, model, type PlayedHub, playHub, sha256 } from '../hub/hub-server.ts';
import { main, runCommand } from '../support/command.ts';
import { tinyRun } from '../train/tiny-run.ts';

const parquet = fileURLToPath(new URL('../fixtures/parquet/flat-snappy.parquet', import.meta.url));

/** A command that can be ended from here. */
function start(command: string[], env: Record<string, string>) {
  const child = spawn(command[0], command.slice(1), { env: { ...process.env, ...env } });
  const told = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    told.stdout += text;
  });
  child.stderr.on('data', (text) => {
    told.stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ ...told, code })),
  );
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), ended };
}

const lorikeet = (args: string[], env: Record<string, string> = {}) => runCommand(args, { env });

const environment = (hub: PlayedHub, home = folderOf({})) => ({ HF_HOME: home, HF_ENDPOINT: hub.url });
const repoIn = ({ HF_HOME }: { HF_HOME: string }) => join(HF_HOME, 'hub/models--Qwen--Tiny-VL');

describe('lorikeet pull', () => {
  it('fetches a model that then trains by its id, on rows of parquet', async () => {
    const folder = tinyRun();
    const source = join(folder, 'model');
    const files = Object.fromEntries(
      readdirSync(source).map((name) => [name, readFileSync(join(source, name))]),
    );
    const env = environment(await playHub(files));
    const { code, stdout, stderr } = await lorikeet(['pull', model], env);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(repoIn(env), 'snapshots', commit)}\n` });
    const bytes = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(stderr.split('\n')[0]).toBe(
      `${model}, main at ${commit.slice(0, 12)}: ${readdirSync(source).length} files, ${(bytes / 1e3).toFixed(1)} kB`,
    );
    expect(stderr).toContain(`Whole and checked. In a config: model: ${model}\n`);

    const words = ['data.train=train.parquet', 'output=pulled', `model=${model}`, 'train.epochs=1'];
    copyFileSync(parquet, join(folder, 'train.parquet'));
    const file = join(folder, 'config.yaml');
    // No hub is there to be asked: the address is that of nobody.
    const offline = { HF_HOME: env.HF_HOME, HF_ENDPOINT: 'http://127.0.0.1:9' };
    const trained = await lorikeet(['train', file, '--set', ...words], offline);
    expect(trained.stderr).toBe('');
    expect(trained.code).toBe(0);
    const config = JSON.parse(readFileSync(join(folder, 'pulled/adapter/adapter_config.json'), 'utf8'));
    expect(config.base_model_name_or_path).toBe(model);

    const own = await lorikeet(['train', file, '--set', 'output=own', 'train.epochs=1']);
    expect(own.code).toBe(0);
    const losses = (run: string) =>
      readFileSync(join(folder, run, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).loss);
    expect(losses('pulled')).toEqual(losses('own'));
    const methods = await lorikeet(['report', join(folder, 'pulled'), '--methods', 'markdown']);
    expect(methods.stdout).toContain(model);
  });

  const weights = Uint8Array.from({ length: 400_000 }, (_, i) => (i * i) % 251);
  const files = { 'config.json': Buffer.from('{}'), 'model.safetensors': weights };
  const half = 150_000;

  /** The first answer from the store stops in the middle and stays open. */
  function hang(hub: PlayedHub): void {
    hub.instead = ({ host, range }, response) => {
      if (host !== 'store' || range) return false;
      response.writeHead(200, { 'content-length': weights.length }).write(weights.subarray(0, half));
      return true;
    };
  }

  const arrivingIn = (blobs: string) =>
    (existsSync(blobs) ? readdirSync(blobs) : [])
      .filter((name) => name.startsWith(sha256(weights)) && name.endsWith('.incomplete'))
      .map((name) => join(blobs, name));

  it.each<[NodeJS.Signals, number | null]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ])('goes on after %s from what arrived', async (signal, code) => {
    const hub = await playHub(files);
    const env = environment(hub);
    hang(hub);
    const running = start([process.execPath, main, 'pull', model], env);
    const blobs = join(repoIn(env), 'blobs');
    while (!arrivingIn(blobs).some((file) => readFileSync(file).length === half))
      await new Promise((resolve) => setTimeout(resolve, 10));
    running.kill(signal);
    const ended = await running.ended;
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe('');
    if (code !== null) expect(ended.stderr).toContain('the same command goes on from there');
    expect(existsSync(join(repoIn(env), 'refs'))).toBe(false);
    expect((await lorikeet(['pull', model], env)).code).toBe(0);
    expect(hub.ranges('model.safetensors').at(-1)).toBe(`bytes=${half}-`);
    expect(readdirSync(blobs)).toHaveLength(2);
  });

  it('leaves nothing half-written where the disk is full', async () => {
    const hub = await playHub(files);
    const env = environment(hub);
    // No file may grow above 200 kB: the nearest to a full disk that needs no rights.
    const limited = `ulimit -f 200 && exec "${process.execPath}" "${main}" pull ${model}`;
    const { code, stdout, stderr } = await start(['bash', '-c', limited], env).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/Error: model\.safetensors expected room for 400000 bytes, the disk had no more/);
    expect(stderr).not.toContain('    at ');
    expect(arrivingIn(join(repoIn(env), 'blobs'))).toEqual([]);
    expect((await lorikeet(['pull', model], env)).code).toBe(0);
  });

  it('is run twice at once, and both end with the whole model', async () => {
    const hub = await playHub(files);
    hub.cutAfter = half;
    const env = environment(hub);
    const ends = await Promise.all([lorikeet(['pull', model], env), lorikeet(['pull', model], env)]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    const [folder] = ends[0].stdout.split('\n');
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readdirSync(join(repoIn(env), 'blobs'))).toHaveLength(2);
  });

  it.each<[string, string[], RegExp]>([
    ['no name', ['pull'], /^Error: the name of a model expected, got none\. lorikeet pull Qwen/],
    ['a name of another form', ['pull', 'gpt2'], /^Error: a model expected as ORG\/NAME, got "gpt2"/],
    [
      'a model that is not there',
      ['pull', 'Qwen/None'],
      /^Error: Qwen\/None expected as a public model, got 401/,
    ],
    ['a revision that is not there', ['pull', model, '--revision', 'v9'], /^Error: revision v9 expected/],
  ])('%s is one error and exit code 1', async (_, args, line) => {
    const { code, stdout, stderr } = await lorikeet(args, environment(await playHub(files)));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});
