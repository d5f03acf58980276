/** A file of labels as a rule: its sequences find their rows by what they say. */
import type { Dataset } from '../data/dataset.ts';
import { isBadRow } from '../data/place.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import type { Encoder } from '../train/encoder.ts';
import type { CheckEvent, Split } from '../train/events.ts';
import { readDump } from './dump.ts';
import { matchRows, type UnmatchedSequence } from './dump-match.ts';
import { type LabelRule, paddingOf } from './label-rules.ts';

export interface DumpContext {
  dataset: Dataset;
  encoder: Encoder;
  split: Split;
  /** The rows that its sequences may be. */
  rows: readonly number[];
}

export interface OpenedDump {
  rule: LabelRule;
  /** Rows that it has a sequence for. */
  found: number[];
  unmatched: Unmatched[];
}

/** A sequence that Lorikeet would tokenise otherwise, with the first token that differs. */
export interface Unmatched extends Omit<UnmatchedSequence, 'ours' | 'theirs'> {
  /** Null where that side has ended. */
  ours: { id: number; text: string } | null;
  theirs: { id: number; text: string } | null;
}

/** Milliseconds between two words about a search that takes long, and before the first. */
const interval = 500;

export async function* openDump(
  file: string,
  { dataset, encoder, split, rows }: DumpContext,
): AsyncGenerator<CheckEvent, OpenedDump> {
  const { tokenizer, vocabulary: vocabularySize } = encoder;
  const sequences = await readDump(file, { vocabularySize, paddingId: paddingOf(tokenizer)?.id });
  const encoded: { row: number; ids: Int32Array }[] = [];
  const begun = performance.now();
  let speakAt = begun + interval;
  for (const [done, row] of rows.entries()) {
    const ids = await idsOf(row, dataset, encoder);
    if (ids) encoded.push({ row, ids });
    if (performance.now() < speakAt) continue;
    speakAt = performance.now() + interval;
    const secondsLeft = ((performance.now() - begun) / 1000 / (done + 1)) * (rows.length - done - 1);
    yield { type: 'check', split, rows: done + 1, totalRows: rows.length, secondsLeft };
  }
  const { byRow, unmatched } = matchRows(sequences, encoded);
  return {
    rule: {
      name: file,
      note: `the labels of ${file}: ${sequences.length} sequences, ${byRow.size} of them rows of ${dataset.file}`,
      labelsOf: ({ row }) => byRow.get(row),
    },
    found: [...byRow.keys()],
    unmatched: unmatched.map((each) => spelled(each, tokenizer)),
  };
}

/** Nothing of a row that cannot be used: it says so when its turn comes. */
async function idsOf(row: number, dataset: Dataset, encoder: Encoder): Promise<Int32Array | undefined> {
  try {
    return (await encoder.encode(await dataset.example(row))).ids;
  } catch (error) {
    if (isBadRow(error)) return undefined;
    throw error;
  }
}

function spelled({ ours, theirs, ...place }: UnmatchedSequence, tokenizer: ChatTokenizer): Unmatched {
  const token = (id: number | null) => (id === null ? null : { id, text: tokenizer.decode([id]) });
  return { ...place, ours: token(ours), theirs: token(theirs) };
}
