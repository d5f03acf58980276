/** A pull with a machine of its own: a new home, a disk with room, and no waiting. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import { type Machine, type PullEvent, type PullOptions, pullOn } from '../../src/hub/pull.ts';
import { folderOf } from '../data/folder.ts';
import { model, type PlayedHub } from './hub-server.ts';

export const weights = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251);
export const files = {
  'config.json': Buffer.from('{"model_type": "qwen2_vl"}\n'),
  'tokenizer.json': Buffer.from('{}\n'),
  'model.safetensors': weights,
};

interface Tried {
  options?: PullOptions;
  machine?: Partial<Machine>;
  token?: string;
}

/** A machine that never waits, and tells how long it would have. */
export function setUp(hub: PlayedHub, home = folderOf({})) {
  const waits: number[] = [];
  const events: PullEvent[] = [];
  const repo = join(home, 'hub/models--Qwen--Tiny-VL');
  const pull = (id = model, { options, machine, token }: Tried = {}) =>
    pullOn(
      {
        wait: async (seconds) => {
          waits.push(seconds);
        },
        freeBytes: async () => 1e12,
        ...machine,
      },
      id,
      {
        onEvent: (event) => events.push(event),
        environment: { HF_HOME: home, HF_ENDPOINT: `${hub.url}/`, HF_TOKEN: token },
        ...options,
      },
    );
  const refusal = async (id?: string, tried?: Tried): Promise<LorikeetError> => {
    const error = await pull(id, tried).then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error.code).toBe('hub');
    expect(error.message).not.toContain('\n');
    return error;
  };
  const blobs = () => (existsSync(join(repo, 'blobs')) ? readdirSync(join(repo, 'blobs')).sort() : []);
  return { home, repo, waits, events, pull, refusal, blobs };
}
