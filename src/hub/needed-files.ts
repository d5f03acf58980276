import { LorikeetError } from '../errors.ts';

/** A file of a model on the hub. */
export interface HubFile {
  path: string;
  bytes: number;
  /** What the cache calls its blob: the SHA-256 of a large file, git's hash of a small one. */
  etag: string;
  hash: 'sha256' | 'git';
}

/** What says how to read a model and on what terms: configs, tokenizer, chat template, picture settings, licence. Never code, never pickles. */
const described =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template|preprocessor_config|video_preprocessor_config|processor_config)\.json$|^(merges\.txt|chat_template\.jinja)$|^(LICEN[CS]E|NOTICE)(\.\w+)?$/;
const single = 'model.safetensors';
const index = 'model.safetensors.index.json';
const shard = /^model-\d{5,6}-of-\d{5,6}\.safetensors$/;

/**
 * The files that training needs, small ones first: no other frameworks' weights, no second copy of the same weights.
 *
 * @throws LorikeetError 'hub' for a repository that holds no such model.
 */
export function neededFiles(files: readonly HubFile[], id: string): HubFile[] {
  const names = new Set(files.map(({ path }) => path));
  const isWeight = names.has(single)
    ? (name: string) => name === single
    : (name: string) => name === index || shard.test(name);
  const needed = files.filter(({ path }) => described.test(path) || isWeight(path));
  if (!names.has('config.json')) {
    throw nothingToTrain(id, 'config.json expected among the files, got none', files);
  }
  if (!needed.some(({ path }) => path === single || shard.test(path))) {
    throw nothingToTrain(id, 'weights expected as .safetensors, got none', files);
  }
  return needed.sort((a, b) => a.bytes - b.bytes || (a.path < b.path ? -1 : 1));
}

function nothingToTrain(id: string, what: string, files: readonly HubFile[]): LorikeetError {
  const shown = files.slice(0, 12).map(({ path }) => path.slice(0, 80));
  const more = files.length > shown.length ? `, and ${files.length - shown.length} more` : '';
  return new LorikeetError('hub', {
    what: `${id}: ${what}; it holds ${shown.join(', ') || 'no files'}${more}`,
    fix: 'Name the repository of the model itself, with its safetensors files; adapters, GGUF and ONNX cannot be trained.',
  });
}
