import type { DataSummary } from '../train/events.ts';
import { count, number } from '../words.ts';
import type { DataCheck, SharedData, SplitCheck } from './data-check.ts';

/** What a person should act on, each with its remedy, in the order of their weight. */
export function warningsOf(
  { splits, shared }: DataCheck,
  summaries: { train: DataSummary; validation?: DataSummary },
): string[] {
  return [
    ...splits.flatMap(saturatedPictures),
    ...(shared ? sharedPictures(shared, splits[1]) : []),
    ...[summaries.train, summaries.validation].flatMap((summary, i) =>
      summary && summary.cutRows > 0 ? [cutRows(summary, splits[i].split)] : [],
    ),
  ];
}

/** Of the pictures that are stored as 16-bit grey alone: a page of print is white as it should be. */
function saturatedPictures({ split, images: { saturated } }: SplitCheck): string[] {
  if (saturated.sixteenBit === 0) return [];
  const pictures = count(saturated.sixteenBit, `${split} picture`);
  return [
    `${pictures} in 16-bit grey, cut at 255, ${saturated.sixteenBit === 1 ? 'is' : 'are'} white over more than 90 % ` +
      `(such as ${saturated.files[0]}): image.sixteenBit: scale shows what is in them.`,
  ];
}

function sharedPictures({ same, near, groups }: SharedData, { images, rows }: SplitCheck): string[] {
  const texts: string[] = [];
  const of = (part: number, whole: number) => `${number(part)} of ${number(whole)}`;
  if (groups && groups.count > 0) {
    texts.push(
      `${of(groups.rows, rows)} validation rows belong to ${count(groups.count, 'group')} of the training data ` +
        `(such as ${groups.names[0]}): their score flatters. Split by group.`,
    );
  }
  if (same.pictures > 0) {
    texts.push(
      `${of(same.pictures, images.distinct)} validation pictures also ${same.pictures === 1 ? 'stands' : 'stand'} in training, with ${of(same.rows, rows)} ` +
        'rows: their score tells of new questions, not of new pictures. Split by picture, or by group where there is one.',
    );
  }
  if (near.pictures > 0) {
    const [pair] = near.pairs;
    const look = near.pictures === 1 ? 'looks' : 'look';
    texts.push(
      `${of(near.pictures, images.distinct)} validation pictures ${look} the same as a training picture ` +
        `(${pair.validation} as ${pair.train}): look at the pairs, and put each on one side of the split.`,
    );
  }
  return texts;
}

function cutRows({ cutRows: cut, rows }: DataSummary, split: string): string {
  const lose =
    cut === 1
      ? 'is longer than data.maxLength and loses its'
      : 'are longer than data.maxLength and lose their';
  return (
    `${number(cut)} of ${number(rows)} ${split} rows ${lose} end; an answer that is cut does not teach where to stop. ` +
    'Raise data.maxLength, or lower image.maxPixels.'
  );
}
