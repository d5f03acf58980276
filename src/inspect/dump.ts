/** `input_ids` and `labels` as a user's own collator made them, read from JSON and checked. */
import { readFile, stat } from 'node:fs/promises';
import { named } from '../data/rows/own.ts';
import { LorikeetError } from '../errors.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../formats/json.ts';

/** One sequence of a dump, its padding taken off. */
export interface DumpedSequence {
  /** From 0, over all batches of the file. */
  sequence: number;
  ids: Int32Array;
  /** [T] 1 where its label is not masked; the first token is shifted out. */
  trained: Uint8Array;
  /** Padding tokens, and labels that are padding or are predicted from it. */
  padding: { tokens: number; trained: number };
}

export interface DumpTokens {
  /** Token ids are below this. */
  vocabularySize: number;
  /** Padding is known by this id where the dump has no attention_mask. */
  paddingId?: number;
}

/** Bytes: a few hundred long sequences. */
const sizeLimit = 32 * 2 ** 20;
const sequenceLimit = 4096;
const masked = -100;

/**
 * Reads `{ input_ids, labels, attention_mask? }`, each of them one sequence or a batch of them, or a list of such
 * objects. Labels stand as a collator writes them: not shifted, -100 where masked.
 *
 * @throws LorikeetError 'data' that names the sequence and the token.
 */
export async function readDump(file: string, tokens: DumpTokens): Promise<DumpedSequence[]> {
  const json = await readJson(file);
  const objects = Array.isArray(json) ? json : [json];
  const sequences: DumpedSequence[] = [];
  for (const object of objects) {
    if (!isObject(object))
      return refuse(file, `an object with input_ids and labels expected, got ${named(object)}`);
    for (const raw of sequencesOf(file, object)) {
      if (sequences.length === sequenceLimit)
        return refuse(file, `at most ${sequenceLimit} sequences expected, got more`);
      sequences.push(checkedSequence(file, sequences.length, raw, tokens));
    }
  }
  if (sequences.length === 0) refuse(file, 'at least one sequence expected, got none');
  return sequences;
}

const howToWrite =
  'Write it from a batch: json.dump({k: batch[k].tolist() for k in ("input_ids", "labels", "attention_mask")}, f).';

function refuse(file: string, what: string, fix = howToWrite): never {
  throw new LorikeetError('data', { file, what, fix });
}

async function readJson(file: string): Promise<Json> {
  try {
    const { size } = await stat(file);
    if (size > sizeLimit)
      refuse(
        file,
        `at most ${sizeLimit} bytes expected, got ${size}`,
        'A few batches are enough: dump fewer.',
      );
    return parseJson((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    if (cause instanceof SyntaxError) return refuse(file, `is not valid JSON: ${cause.message}`);
    const { code } = cause as NodeJS.ErrnoException;
    return refuse(file, code === 'ENOENT' ? 'expected this file, found none' : `could not be read (${code})`);
  }
}

interface RawSequence {
  ids: Json[];
  labels: Json[];
  mask?: Json[];
}

function sequencesOf(file: string, object: JsonObject): RawSequence[] {
  const columns = ['input_ids', 'labels', 'attention_mask'].map((name) => {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (value === undefined && name === 'attention_mask') return undefined;
    if (!Array.isArray(value)) return refuse(file, `${name} expected a list, got ${named(value)}`);
    return value.length > 0 && value.every((item) => Array.isArray(item)) ? (value as Json[][]) : [value];
  });
  const [ids, labels, masks] = columns as [Json[][], Json[][], Json[][] | undefined];
  for (const [name, column] of [
    ['labels', labels],
    ['attention_mask', masks],
  ] as const) {
    if (column && column.length !== ids.length)
      refuse(file, `${name} expected ${ids.length} sequences, as input_ids has, got ${column.length}`);
  }
  return ids.map((sequence, i) => ({ ids: sequence, labels: labels[i], mask: masks?.[i] }));
}

function checkedSequence(
  file: string,
  sequence: number,
  { ids, labels, mask }: RawSequence,
  tokens: DumpTokens,
): DumpedSequence {
  const fail = (what: string, fix?: string) => refuse(file, `sequence ${sequence}: ${what}`, fix);
  for (const [name, column] of [
    ['labels', labels],
    ['attention_mask', mask],
  ] as const) {
    if (column && column.length !== ids.length)
      fail(`${name} expected ${ids.length} values, one for each of input_ids, got ${column.length}`);
  }
  const wrong = ids.findIndex(
    (id) => !Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= tokens.vocabularySize,
  );
  if (wrong >= 0)
    fail(
      `input_ids expected token ids from 0 to ${tokens.vocabularySize - 1}, got ${named(ids[wrong])} at token ${wrong}`,
      'The dump must come from the tokenizer of the model that the config names.',
    );
  checkLabels(ids as number[], labels, fail);
  const [start, end] = contentOf(ids as number[], mask, tokens, fail);
  const isTrained = (t: number) => labels[t] !== masked;
  const outside = ids.flatMap((_, t) => (t < start || t >= end ? [t] : []));
  // Behind padding on the left the first token is predicted from padding.
  const padded = start > 0 ? [...outside, start] : outside;
  return {
    sequence,
    ids: Int32Array.from(ids.slice(start, end) as number[]),
    trained: Uint8Array.from({ length: end - start }, (_, t) => Number(t > 0 && isTrained(start + t))),
    padding: { tokens: outside.length, trained: padded.filter((t) => t > 0 && isTrained(t)).length },
  };
}

function checkLabels(ids: number[], labels: Json[], fail: (what: string, fix?: string) => never): void {
  const wrong = labels.findIndex((label, t) => label !== masked && label !== ids[t]);
  if (wrong < 0) return;
  const isShifted = labels.every(
    (label, t) => label === masked || t + 1 === ids.length || label === ids[t + 1],
  );
  if (isShifted)
    fail(
      'labels stand one token to the left, as if they were shifted already',
      'The model shifts them itself: trained so, every token learns the one after the next. Hand it labels that stand at their own tokens.',
    );
  fail(
    `labels expected -100 or the token's own id ${ids[wrong]} at token ${wrong}, got ${named(labels[wrong])}`,
    'Masked labels are -100, which is what cross-entropy ignores; any other number is trained on.',
  );
}

/** [start, end) of what is no padding. */
function contentOf(
  ids: number[],
  mask: Json[] | undefined,
  { paddingId }: DumpTokens,
  fail: (what: string) => never,
): [start: number, end: number] {
  const isPadding = (t: number) => (mask ? mask[t] === 0 || mask[t] === false : ids[t] === paddingId);
  let start = 0;
  let end = ids.length;
  while (start < end && isPadding(start)) start++;
  while (end > start && isPadding(end - 1)) end--;
  const hole = mask ? ids.findIndex((_, t) => t >= start && t < end && isPadding(t)) : -1;
  if (hole >= 0) fail(`attention_mask expected zeros at the ends alone, got one inside, at token ${hole}`);
  if (start === end) fail('tokens expected, got padding alone');
  return [start, end];
}
