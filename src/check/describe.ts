import type { TokenKind } from '../data/example.ts';
import { count, number, percent } from '../words.ts';
import type { Chance, DataCheck, SplitCheck } from './data-check.ts';

/** What the check found, a line for each thing a person would ask: its name in 12 columns, then a sentence. */
export function describeCheck({ splits, shared, chance, warnings }: DataCheck): string[] {
  const [train, validation] = splits;
  const lines: [name: string, text: string | undefined][] = [
    ['Rows', rowsLine(train, validation)],
    ...splits.map((split): [string, string | undefined] => ['Refused', refusedLine(split)]),
    ['Tokens', tokensLine(train)],
    ['Masked', maskedLine(train)],
    ['Longest', longestLine(train, validation)],
    ['Pictures', picturesLine(train)],
    ['Held out', validation && heldOutLine(validation, shared)],
    ['Questions', questionsLine(train)],
    ['Answers', answersLine(train)],
    ['Groups', groupsLine(splits, shared)],
    ['Guessing', chance && chanceLine(chance)],
    ...warnings.map((warning): [string, string] => ['Note', warning]),
  ];
  return lines.flatMap(([name, text]) =>
    text === undefined ? [] : [printable(`${name.padEnd(11)} ${text}`)],
  );
}

const splitNames = { train: 'training', validation: 'validation' };

function rowsLine(train: SplitCheck, validation: SplitCheck | undefined): string {
  const held = validation ? `, ${number(validation.rows)} to validate on` : ', none to validate on';
  return `${number(train.rows)} to train on${held}`;
}

const reasonsShown = 3;
const rowsShown = 5;

function refusedLine({ split, refused }: SplitCheck): string | undefined {
  if (refused.count === 0) return undefined;
  const reasons = refused.reasons.slice(0, reasonsShown).map(({ reason, count: times, rows }) => {
    const more = rows.length > rowsShown ? ', ...' : '';
    return `${reason} (${count(times, 'row')}: ${rows.slice(0, rowsShown).join(', ')}${more})`;
  });
  const left = refused.reasons.length - reasons.length;
  if (left > 0) reasons.push(count(left, 'other reason'));
  return `${count(refused.count, `${splitNames[split]} row`)}: ${reasons.join('; ')}`;
}

function tokensLine({ tokens, labelShare }: SplitCheck): string {
  const total = sum(tokens);
  const labels = tokens.answer + tokens.end;
  return (
    `${number(total)} in training, ${number(labels)} of them trained on (${percent(labelShare)}): ` +
    `${number(tokens.answer)} of answers, ${number(tokens.end)} that end them`
  );
}

const maskedNames: [TokenKind, string][] = [
  ['image', 'of pictures'],
  ['user', 'of questions'],
  ['header', 'of headers'],
  ['system', 'of system text'],
  ['padding', 'of padding'],
];

function maskedLine({ tokens }: SplitCheck): string {
  const parts = maskedNames.filter(([kind]) => tokens[kind] > 0);
  return parts.map(([kind, name]) => `${number(tokens[kind])} ${name}`).join(', ');
}

function longestLine(train: SplitCheck, validation: SplitCheck | undefined): string {
  const [first, ...others] = train.longest.slice(0, 3);
  const rows = [
    `${count(first.tokens, 'token')} in row ${first.row}`,
    ...others.map(({ row, tokens }) => `${number(tokens)} in row ${row}`),
  ];
  const held = validation?.longest[0];
  const beside = held ? `; in validation ${number(held.tokens)} in row ${held.row}` : '';
  return `${rows.join(', ')}${beside}`;
}

const sizesShown = 3;

function picturesLine({ images }: SplitCheck): string {
  if (images.distinct === 0) return 'none in training';
  const sizes = images.sizes.slice(0, sizesShown).map(({ width, height, tokens, images: pictures }) => {
    return `${number(pictures)} of ${width} x ${height} (${count(tokens, 'token')})`;
  });
  const shown = images.sizes.slice(0, sizesShown).reduce((total, size) => total + size.images, 0);
  if (shown < images.distinct) sizes.push(`${number(images.distinct - shown)} of other sizes`);
  return `${number(images.distinct)} different in ${count(images.uses, 'place')}: ${sizes.join(', ')}${whiteOnes(images)}`;
}

/** Those of 16 bits have a warning of their own. */
function whiteOnes({ saturated: { count: all, sixteenBit, files } }: SplitCheck['images']): string {
  const white = all - sixteenBit;
  if (white === 0) return '';
  return `; ${number(white)} almost all white (${files[sixteenBit] ?? files[0]})`;
}

function heldOutLine(validation: SplitCheck, shared: DataCheck['shared']): string | undefined {
  const { images } = validation;
  if (images.distinct === 0) return undefined;
  const pictures = `${number(images.distinct)} pictures in validation${whiteOnes(images)}`;
  const apart = shared && shared.same.pictures + shared.near.pictures === 0;
  return apart ? `${pictures}; none of them, nor one that looks the same, stands in training` : pictures;
}

function questionsLine({
  images,
  questionsPerImage: { least, median, most, mean },
}: SplitCheck): string | undefined {
  if (images.distinct === 0) return undefined;
  if (least === most) return `${number(most)} on every picture`;
  return `${mean.toFixed(1)} on a picture on average, ${number(least)} to ${number(most)}, median ${number(median)}`;
}

function answersLine({ answers }: SplitCheck): string {
  const texts = answers.commonest.map(({ text, count: times }) => `${JSON.stringify(text)} ${number(times)}`);
  return `${number(answers.distinct)} different; the commonest: ${texts.join(', ')}`;
}

function groupsLine(splits: SplitCheck[], shared: DataCheck['shared']): string | undefined {
  const found = splits.filter(({ groups }) => groups !== undefined);
  if (found.length === 0) return undefined;
  const parts = found.map(({ split, groups }) => `${number(groups!)} in ${splitNames[split]}`);
  return `${parts.join(', ')}${shared?.groups?.count === 0 ? ', none in both' : ''}`;
}

function chanceLine({ uniform, answers, unseen }: Chance): string {
  return (
    `costs ${uniform.toFixed(2)} nats a token with every word alike, ${answers.toFixed(2)} with the training answers in mind ` +
    `and no picture; ${percent(unseen)} of the validation answers are new`
  );
}

function sum(tokens: SplitCheck['tokens']): number {
  return Object.values(tokens).reduce((total, value) => total + value, 0);
}

/** What a file name or an answer brings along must not steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
