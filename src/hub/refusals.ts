/** What the hub's answers mean, told so that somebody can act on them. */
import { LorikeetError } from '../errors.ts';
import type { HubAccess } from './environment.ts';

export interface Asked {
  id: string;
  revision: string;
  access: HubAccess;
}

/** For an answer that asking again does not change. */
export function refusalOf(response: Response, asked: Asked): LorikeetError {
  const { id, revision, access } = asked;
  const { status } = response;
  const code = response.headers.get('x-error-code') ?? '';
  const page = `${access.endpoint}/${id}`;
  const said = saying(response);
  if (response.redirected && new URL(response.url).origin !== new URL(access.endpoint).origin) {
    return hubError(
      `the file store ${new URL(response.url).host} expected to give a file of ${id}, answered ${status}`,
      'Pull again: each pull gets fresh addresses. What was fetched is kept.',
    );
  }
  if (code === 'GatedRepo' || (status === 403 && code === '')) {
    return hubError(
      `${id} is gated, and ${access.tokenFrom ? `the token of ${access.tokenFrom} has no access` : 'no token was sent'} (${status})${said}`,
      `Accept its licence at ${page}, then set HF_TOKEN to a token of that account that may read gated models.`,
    );
  }
  if (status === 401 || status === 403) {
    return access.tokenFrom
      ? hubError(
          `access to ${id} expected with the token of ${access.tokenFrom}, got ${status}${said}`,
          'Check the name, and that the token is valid and may read this model.',
        )
      : hubError(
          `${id} expected as a public model, got ${status}: there is none of this name, or it is private${said}`,
          'Check the name; for a private model set HF_TOKEN.',
        );
  }
  if (status === 404 && code === 'RevisionNotFound') {
    return hubError(
      `revision ${revision} expected in ${id}, got none of this name (404)`,
      `Its branches and tags stand at ${page}/tree/main.`,
    );
  }
  if (status === 404) {
    return hubError(
      `${id} at revision ${revision} expected at ${access.endpoint}, got no such model, revision or file (404)`,
      'Check the name, capitals too, and the revision.',
    );
  }
  return hubError(`${access.endpoint} expected to give ${id}, answered ${status}${said}`, 'Try again later.');
}

/** For an answer that stayed the same however often it was asked. */
export function gaveUp(
  status: number,
  tries: number,
  { id, access }: Asked,
  seconds?: number,
): LorikeetError {
  if (status !== 429) {
    return hubError(
      `${access.endpoint} expected to give ${id}, answered ${status} ${tries} times`,
      'The trouble is on its side: try again later. What was fetched is kept.',
    );
  }
  const wait = seconds === undefined ? 'later' : `in ${Math.ceil(seconds / 60)} minutes`;
  return hubError(
    `${access.endpoint} asks for fewer requests (429), after ${tries} ${tries === 1 ? 'try' : 'tries'}`,
    `Try again ${wait}${access.token ? '' : '; with HF_TOKEN set, the limit is higher'}. What was fetched is kept.`,
  );
}

export function noNetwork(cause: unknown, { access }: Asked): LorikeetError {
  const { code, message } = rootOf(cause);
  return hubError(
    `${access.endpoint} expected to be reachable, got ${code ?? message}`,
    'Check the network, and HF_ENDPOINT where a mirror is meant. What was fetched is kept.',
    cause,
  );
}

export function hubError(what: string, fix: string, cause?: unknown): LorikeetError {
  return new LorikeetError('hub', { what, fix, cause });
}

/** fetch hides the reason under its cause, and a name with several addresses under a list. */
function rootOf(error: unknown): { code?: string; message: string } {
  let root = error as { code?: string; message?: string; cause?: unknown; errors?: unknown[] };
  for (let depth = 0; depth < 5; depth++) {
    const inner = (root?.cause ?? root?.errors?.[0]) as typeof root | undefined;
    if (!inner) break;
    root = inner;
  }
  return { code: root?.code, message: String(root?.message ?? root).split('\n')[0] };
}

/** The hub's own words, as far as they fit a line. */
function saying(response: Response): string {
  const text = (response.headers.get('x-error-message') ?? '').replace(/[^ -~]+/g, ' ').trim();
  return text === '' ? '' : `: ${text.slice(0, 200)}`;
}
