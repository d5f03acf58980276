/** A model on the hub by its name, and the branch, tag or commit that is meant. */
export interface ModelId {
  /** `Qwen/Qwen2-VL-2B-Instruct` */
  id: string;
  revision?: string;
}

const part = /^[A-Za-z0-9_](?:[\w.-]{0,94}[\w-])?$/;
const revisionForm = /^\w[\w.-]*(?:\/[\w.-]+)*$/;

/** `ORG/NAME` or `ORG/NAME@REVISION` by the hub's own rules for names; undefined for anything else, paths among it. */
export function parseModelId(text: string): ModelId | undefined {
  const [id, ...rest] = text.split('@');
  const parts = id.split('/');
  const isName = (name: string) => part.test(name) && !/--|\.\.|\.git$/.test(name);
  if (parts.length !== 2 || !parts.every(isName) || rest.length > 1) return undefined;
  if (rest.length === 0) return { id };
  return isRevision(rest[0]) ? { id, revision: rest[0] } : undefined;
}

/** Whether it can name a branch, a tag or a commit, and a file under `refs/`. */
export function isRevision(text: string): boolean {
  return text.length <= 200 && revisionForm.test(text) && !/(^|\/)\.|\.\.|\.lock(\/|$)/.test(text);
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}
