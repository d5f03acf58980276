import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hubAccess, hubCache } from '../../src/hub/environment.ts';
import { folderOf } from '../data/folder.ts';

/** As huggingface_hub/constants.py resolves them. */
describe('the cache', () => {
  it.each<[Record<string, string>, string]>([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    [{ HF_HOME: '/h', XDG_CACHE_HOME: '/x' }, '/h/hub'],
    [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/h' }, '/old'],
    [{ HF_HUB_CACHE: '/new', HUGGINGFACE_HUB_CACHE: '/old' }, '/new'],
    [{ HF_HOME: '~/models' }, join(homedir(), 'models/hub')],
    [{ HF_HOME: '$DISK/$WHO', DISK: '/d', WHO: 'me' }, '/d/me/hub'],
  ])('of %o is %s', (environment, folder) => {
    expect(hubCache(environment)).toBe(folder);
  });
}); // biome-ignore format: one line a case

describe('the token', () => {
  it('is HF_TOKEN, or stands in a file: HF_TOKEN_PATH, or token in HF_HOME', () => {
    const home = folderOf({ token: 'in-home\n', other: ' elsewhere ' });
    const tokenOf = (environment: Record<string, string>) => hubAccess(environment).token;
    expect(tokenOf({ HF_HOME: home, HF_TOKEN: ' set ' })).toBe('set');
    expect(tokenOf({ HF_HOME: home })).toBe('in-home');
    expect(tokenOf({ HF_HOME: home, HF_TOKEN_PATH: join(home, 'other') })).toBe('elsewhere');
    expect(tokenOf({ HF_HOME: join(home, 'nowhere') })).toBeUndefined();
  });
});

describe('the hub', () => {
  it('is the published one, or the mirror of HF_ENDPOINT', () => {
    const HF_HOME = folderOf({});
    expect(hubAccess({ HF_HOME }).endpoint).toBe('https://huggingface.co');
    expect(hubAccess({ HF_HOME, HF_ENDPOINT: 'https://mirror.test/hf/' }).endpoint).toBe(
      'https://mirror.test/hf',
    );
  });
});
