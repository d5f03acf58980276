/** Where the cache is and how the hub is reached, by the variables that `huggingface_hub` reads in Python. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubAccess {
  /** The hub, or a mirror of it: `https://huggingface.co`. No slash at its end. */
  endpoint: string;
  token?: string;
  /** What the token was read from, for messages: a variable or a file. */
  tokenFrom?: string;
}

const published = 'https://huggingface.co';
const longestToken = 4096;

/** HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, `hub` in HF_HOME, or `~/.cache/huggingface/hub`. */
export function hubCache(env: Environment): string {
  const set = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  return set ? asPath(set, env) : join(hubHome(env), 'hub');
}

function hubHome(env: Environment): string {
  if (env.HF_HOME) return asPath(env.HF_HOME, env);
  return join(
    env.XDG_CACHE_HOME ? asPath(env.XDG_CACHE_HOME, env) : join(homedir(), '.cache'),
    'huggingface',
  );
}

/** `~` and `$VARIABLE` are replaced, as Python does. */
function asPath(text: string, env: Environment): string {
  const filled = text.replace(
    /\$(?:(\w+)|\{(\w+)\})/g,
    (whole, bare, braced) => env[bare ?? braced] ?? whole,
  );
  return resolve(filled.replace(/^~(?=$|\/)/, homedir()));
}

/** @throws LorikeetError 'hub' where the variables forbid the network or cannot be used. */
export function hubAccess(env: Environment): HubAccess {
  for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) {
    if (/^(1|on|yes|true)$/i.test(env[name] ?? '')) {
      throw new LorikeetError('hub', {
        what: `a network expected, got ${name}=${env[name]}, which forbids it`,
        fix: `Unset ${name} for this command.`,
      });
    }
  }
  const token = tokenOf(env);
  if (token && !/^[!-~]+$/.test(token.text)) {
    throw new LorikeetError('hub', {
      what: `a token expected in ${token.from}, got characters that no token has`,
      fix: 'Copy the token again: it is one word.',
    });
  }
  return { endpoint: endpointOf(env), ...(token && { token: token.text, tokenFrom: token.from }) };
}

function endpointOf(env: Environment): string {
  const text = (env.HF_ENDPOINT || published).replace(/\/+$/, '');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash) return text;
  throw new LorikeetError('hub', {
    what: `HF_ENDPOINT expected an address such as ${published}, got ${JSON.stringify(text.slice(0, 200))}`,
    fix: 'Write the address of the mirror, or unset it.',
  });
}

function tokenOf(env: Environment): { text: string; from: string } | undefined {
  for (const from of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const text = env[from]?.trim();
    if (text) return { text, from };
  }
  const from = env.HF_TOKEN_PATH ? asPath(env.HF_TOKEN_PATH, env) : join(hubHome(env), 'token');
  try {
    const text = readFileSync(from, 'utf8').trim();
    if (text !== '' && text.length <= longestToken) return { text, from };
  } catch {} // most people have none
  return undefined;
}
