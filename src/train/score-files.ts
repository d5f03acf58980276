/** From scored rows to the lines and small pictures of `scores/`, which tell them without the data at hand. */
import type { Dataset } from '../data/dataset.ts';
import type { Example, ImageReference } from '../data/example.ts';
import { imagesOf } from '../data/example-images.ts';
import { thumbnail } from '../data/image/render.ts';
import { nameInFolder } from '../data/image/source.ts';
import type { RgbImage } from '../data/processor.ts';
import { tokenTexts } from '../data/token-texts.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import type { Split } from './events.ts';
import type { RowScore, TokenScore } from './row-scores.ts';
import { isAnswer, type ScoredRow } from './score.ts';

type Decode = (image: ImageReference) => Promise<RgbImage>;

/** What a run knows of its rows beside their tokens. */
export interface RowSource {
  tokenizer: Pick<ChatTokenizer, 'decode'>;
  datasets: Partial<Record<Split, Dataset>>;
  /** What pixels are made of: how the run itself reads them. */
  decode: Decode;
}

/** Validation rows whose pictures are kept at every evaluation, spread over the split; and as many of the worst. */
const shownRows = 12;
/** Longer side in pixels. */
const pictureSide = 320;

/** The rows of one evaluation as they are written; `keep` is handed the pictures of those that are shown. */
export async function* describeRows(
  rows: readonly ScoredRow[],
  step: number,
  { tokenizer, datasets, decode }: RowSource,
  keep: (name: string, jpeg: Uint8Array) => Promise<void>,
): AsyncGenerator<RowScore> {
  const shown = rowsShown(rows);
  for (const row of rows) {
    const example = await datasets[row.split]?.example(row.row);
    const picture = example && shown.has(row) ? await pictureOf(row, example, decode, keep) : undefined;
    yield {
      step,
      split: row.split,
      row: row.row,
      ...(example?.type !== undefined && { type: example.type }),
      ...(example?.group !== undefined && { group: example.group }),
      images: row.images.map((image) => nameInFolder(image, datasets[row.split]?.images ?? '')),
      question: example ? questionOf(example) : '',
      tokens: tokensOf(row, tokenizer),
      ...(picture !== undefined && { picture }),
    };
  }
}

function rowsShown(rows: readonly ScoredRow[]): Set<ScoredRow> {
  const held = rows.filter(({ split, images }) => split === 'validation' && images.length > 0);
  const spread = held.filter(
    (_, i) => Math.floor((i * shownRows) / held.length) !== Math.floor(((i - 1) * shownRows) / held.length),
  );
  const worst = [...held].sort((a, b) => meanLoss(b) - meanLoss(a)).slice(0, shownRows);
  return new Set([...spread, ...worst]);
}

function meanLoss({ losses }: ScoredRow): number {
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

async function pictureOf(
  { split, row }: ScoredRow,
  example: Example,
  decode: Decode,
  keep: (name: string, jpeg: Uint8Array) => Promise<void>,
): Promise<string | undefined> {
  const name = `${split}-${row}.jpg`;
  const jpeg = await decode(imagesOf(example)[0]).then(
    (image) => thumbnail(image, pictureSide),
    () => undefined, // scored from pixels that were read earlier; the file may be gone since
  );
  if (!jpeg) return undefined;
  await keep(name, jpeg);
  return name;
}

function questionOf({ turns }: Example): string {
  const first = turns.findIndex(({ role }) => role === 'assistant');
  const asked = turns.slice(0, first).filter(({ role }) => role === 'user');
  const texts = asked.flatMap(({ content }) =>
    content.flatMap((part) => (part.type === 'text' ? [part.text] : [])),
  );
  return texts.join('\n');
}

function tokensOf(row: ScoredRow, tokenizer: Pick<ChatTokenizer, 'decode'>): TokenScore[] {
  return tokenTexts(tokenizer, row.ids).map((text, n) => ({
    text,
    kind: isAnswer(row, n) ? 'answer' : 'end',
    loss: rounded(row.losses[n]),
    hit: row.hits[n] === 1,
    top: rounded(row.top[n]),
  }));
}

/** f32 has no more digits than these. */
function rounded(value: number): number {
  return Number(value.toPrecision(7));
}
