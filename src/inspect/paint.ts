/** How tokens look on a terminal: trained ones bright on the heat of their loss, masked ones dim. */

export interface Paint {
  /** A token that is not trained. */
  masked(text: string): string;
  /** A token that is trained; the loss is null where it is not known. Every other one is underlined: see where each ends. */
  trained(text: string, loss: number | null, underlined: boolean): string;
  strong(text: string): string;
  quiet(text: string): string;
  /** What the colours mean, where there are some. */
  legend: string;
}

/** Backgrounds of the 256-colour palette from pale to red, each from this loss on; letters on them are black. */
const heat: [from: number, colour: number][] = [
  [0, 194],
  [0.1, 230],
  [0.5, 229],
  [1, 222],
  [2, 215],
  [4, 209],
  [8, 203],
];

const sgr = (codes: string) => (text: string) => `\x1b[${codes}m${text}\x1b[0m`;

const coloured: Paint = {
  masked: sgr('2'),
  trained: (text, loss, underlined) =>
    sgr(`1${underlined ? ';4' : ''}${loss === null ? '' : `;38;5;16;48;5;${colourOf(loss)}`}`)(text),
  strong: sgr('1'),
  quiet: sgr('2'),
  legend: `Loss  ${heat.map(([from, colour]) => sgr(`38;5;16;48;5;${colour}`)(` ${from}+ `)).join('')}  trained; what is dim is not\n`,
};

const plain: Paint = {
  masked: (text) => text,
  trained: (text) => `[${text}]`,
  strong: (text) => text,
  quiet: (text) => text,
  legend: 'What stands in [brackets], one pair a token, is trained; the rest is not.\n',
};

function colourOf(loss: number): number {
  return heat.findLast(([from]) => loss >= from)?.[1] ?? heat[0][1];
}

/** Colours for a person who looks, brackets for files, pipes and NO_COLOR. */
export function choosePaint({ isTTY }: { isTTY?: boolean }, environment: NodeJS.ProcessEnv): Paint {
  const { NO_COLOR, TERM, FORCE_COLOR } = environment;
  if (NO_COLOR || TERM === 'dumb' || FORCE_COLOR === '0') return plain;
  return isTTY || FORCE_COLOR ? coloured : plain;
}
