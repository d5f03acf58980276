/** A run again, from its `run.json`: the same words, model and data, and said where something is not the same. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { LorikeetError } from '../errors.ts';
import { isObject, readJsonObject } from '../formats/json.ts';
import { changedWords, tellChange } from './changed-words.ts';
import type { NoticeEvent } from './events.ts';
import { identityDifferences, identitySchema, type RunIdentity } from './identity.ts';
import { type Machine, machineChanges, notice } from './resume.ts';

/** What a run that is repeated was. */
export interface RepeatedRun {
  /** Its `run.json`, absolute. */
  file: string;
  config: object;
  /** Absent in records of before 0.2. */
  identity?: RunIdentity;
  machine: Partial<Machine>;
}

const sizeLimit = 64 * 2 ** 20;

/**
 * The config of a run that was: every word as it was settled then, and the threads that it used. `set` holds `key=value`
 * words that go before them; relative paths in it are relative to the folder of the run's config file.
 *
 * @throws LorikeetError 'run' where the file is no record of a run, and 'config' where its words are not ours.
 */
export async function loadRepeat(
  file: string,
  options: { set?: readonly string[] } = {},
): Promise<LoadedConfig> {
  const record = await readJsonObject(file, 'run', sizeLimit);
  const { config, versions, platform, threads } = record;
  if (!isObject(config) || !isObject(config.resolved) || !isObject(versions)) {
    throw new LorikeetError('run', {
      file,
      what: 'the run.json of a run expected, got other JSON',
      fix: 'Name the run.json of a run folder.',
    });
  }
  // As plain objects with prototypes, which is what the schema reads.
  const words = JSON.parse(JSON.stringify(config.resolved));
  if (typeof threads === 'number') words.train = { threads, ...words.train };
  if (words.adapter !== undefined) words.lora = givenLora(config.given);
  const home = typeof config.file === 'string' ? dirname(config.file) : process.cwd();
  const folder = existsSync(home) ? home : process.cwd();
  const identity = identitySchema.safeParse(record.identity).data;
  const cpu = isObject(platform) && typeof platform.cpu === 'string' ? platform.cpu : undefined;
  const texts = Object.entries(versions).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return {
    ...resolveConfig(words as ConfigInput, folder, options.set),
    repeats: {
      file: resolve(file),
      config: JSON.parse(JSON.stringify(config.resolved)),
      identity,
      machine: { versions: Object.fromEntries(texts), cpu, ...(typeof threads === 'number' && { threads }) },
    },
  };
}

/** Beside an adapter that is gone on from, only what was written of `lora` is held against it. */
function givenLora(given: unknown): object | undefined {
  if (!isObject(given)) return undefined;
  const words = Object.entries(given).filter(([key]) => /^lora\.\w+$/.test(key));
  return words.length > 0
    ? Object.fromEntries(words.map(([key, value]) => [key.slice(5), value]))
    : undefined;
}

/**
 * Says what is not as it was.
 *
 * @throws LorikeetError 'run' where model or data are others under the same words: that cannot repeat the run.
 */
export function* checkRepeat(
  { config, repeats }: LoadedConfig,
  identity: RunIdentity,
  now: Machine,
): Generator<NoticeEvent> {
  if (!repeats) return;
  const free = ['output', 'train.threads', 'train.saveEvery', 'train.keep'];
  const changes = changedWords(repeats.config, config).filter(({ word }) => !free.includes(word));
  const differences = repeats.identity ? identityDifferences(repeats.identity, identity) : [];
  if (differences.length > 0 && changes.length === 0) {
    throw new LorikeetError('run', {
      file: repeats.file,
      what: `the run cannot be repeated: ${differences.join('; ')}`,
      fix: 'Put that back, or begin a run of its own from the config file.',
    });
  }
  const told = [...changes.map(tellChange), ...differences];
  if (told.length > 0) yield notice(`Not the run of ${repeats.file} again: ${told.join('; ')}.`);
  const machine = machineChanges(repeats.machine, now);
  if (machine.length > 0) {
    yield notice(
      `${machine.join('; ')}: the last bits of sums may differ from those of the run that is repeated.`,
    );
  }
}
