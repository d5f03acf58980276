/** Questions about a scene and their answers: long sentences, as the base speaks, and the short ones it is taught. */
import { type Stream, shuffle } from '../src/random.ts';
import { colours, places, type SceneFacts, sizes } from './facts.ts';

export const questionTypes = ['presence', 'count', 'place', 'colour', 'size', 'instrument'] as const;
export type QuestionType = (typeof questionTypes)[number];
export type AnswerStyle = 'short' | 'long';

export interface Qa {
  type: QuestionType;
  question: string;
  answer: string;
}

/** Three wordings of each question. */
const questions: Record<QuestionType, readonly [string, string, string]> = {
  presence: ['Is there a polyp?', 'Is a polyp visible in the image?', 'Does the image show a polyp?'],
  count: [
    'How many polyps are there?',
    'How many polyps does the image show?',
    'What is the number of polyps?',
  ],
  place: [
    'Where is the polyp?',
    'In which part of the image is the polyp?',
    'Where in the image is the polyp?',
  ],
  colour: [
    'What colour is the polyp?',
    'What is the colour of the polyp?',
    'Which colour does the polyp have?',
  ],
  size: ['What size is the polyp?', 'How large is the polyp?', 'What is the size of the polyp?'],
  instrument: [
    'Is there an instrument?',
    'Is an instrument visible in the image?',
    'Does the image show an instrument?',
  ],
};

/**
 * Long forms of a short answer, one for each wording of the question: the base learns to see, not to guess
 * which paraphrase comes. The fact stands early in some and late in others.
 */
type Sentences = (answer: string) => readonly [string, string, string];

const yesNo = (thing: string): Sentences => {
  const yes = [
    `Yes, there is ${thing} in this image.`,
    `Yes, ${thing} can be seen here.`,
    `The image does show ${thing}.`,
  ] as const;
  const no = [
    `No, there is no ${thing.replace(/^an? /, '')} in this image.`,
    `No, ${thing} cannot be seen here.`,
    `The image does not show ${thing}.`,
  ] as const;
  return (answer) => (answer === 'yes' ? yes : no);
};

const countWords = ['no polyps', 'one polyp', 'two polyps', 'three polyps'];

const sentences: Record<QuestionType, Sentences> = {
  presence: yesNo('a polyp'),
  count: (answer) => {
    const words = countWords[Number(answer)];
    const be = answer === '1' ? 'is' : 'are';
    return [
      `There ${be} ${words} in this image.`,
      `${capital(words)} can be seen in the image.`,
      `The image shows ${words}.`,
    ];
  },
  place: (answer) => [
    `The polyp is in the ${answer} of the image.`,
    `It lies in the ${answer} of the field of view.`,
    `In the ${answer} there is a polyp.`,
  ],
  colour: (answer) => [
    `The polyp is ${answer} in colour.`,
    `It has a ${answer} surface.`,
    `This is a ${answer} polyp.`,
  ],
  size: (answer) => [
    `The polyp measures ${answer} across.`,
    `Its size is ${answer} in this view.`,
    `It is a polyp of ${answer} in size.`,
  ],
  instrument: yesNo('an instrument'),
};

const capital = (text: string) => text[0].toUpperCase() + text.slice(1);

/** The true short answers of a scene. Place, colour and size are asked only of a polyp that is alone. */
export function shortAnswers({ polyps, instrument }: SceneFacts): Partial<Record<QuestionType, string>> {
  const [only] = polyps.length === 1 ? polyps : [];
  return {
    presence: polyps.length > 0 ? 'yes' : 'no',
    count: String(polyps.length),
    ...(only && { place: only.place, colour: only.colour, size: only.size }),
    instrument: instrument ? 'yes' : 'no',
  };
}

/**
 * Shares of the scenes with 0, 1, 2, 3 polyps that are asked: fewer of the frequent kinds,
 * so that no answer is the safe guess ("yes" to presence, "1" to count).
 */
const asked: Partial<Record<QuestionType, readonly number[]>> = {
  presence: [1, 0.4, 0.4, 0.4],
  count: [0.6, 0.45, 1, 1],
};

/** The questions of one scene, in random order and words. */
export function askScene(facts: SceneFacts, style: AnswerStyle, draws: Stream): Qa[] {
  const answers = shortAnswers(facts);
  const types = questionTypes.filter((type) => {
    const share = asked[type]?.[facts.polyps.length] ?? 1;
    return draws.uniform() < share && answers[type] !== undefined;
  });
  return shuffle(types, draws).map((type) => {
    const wording = draws.integer(3);
    const short = answers[type]!;
    const answer = style === 'short' ? short : sentences[type](short)[wording];
    return { type, question: questions[type][wording], answer };
  });
}

export const reportQuestion = 'What does the image show?';

/**
 * A look at every place in turn, which only the pre-training asks for: ten facts about one picture.
 * Without it a tower that starts from random weights sees too few facts to learn from.
 */
export function reportScene({ polyps, instrument }: SceneFacts): { question: string; answer: string } {
  const found = places.map((place) => {
    const polyp = polyps.find((one) => one.place === place);
    return `${capital(place)}: ${polyp ? `a ${polyp.colour} polyp of ${polyp.size}` : 'no polyp'}.`;
  });
  const tool = `Instrument: ${instrument ? 'yes' : 'no'}.`;
  return { question: reportQuestion, answer: [...found, tool].join(' ') };
}

/** Every text that `askScene` can produce, and the words of a report: what the tokenizer is trained on. */
export function everyText(): string[] {
  const values: Record<QuestionType, readonly string[]> = {
    presence: ['yes', 'no'],
    count: countWords.map((_, n) => String(n)),
    place: places,
    colour: colours,
    size: sizes,
    instrument: ['yes', 'no'],
  };
  const words = [...places.map((place) => `${capital(place)}:`), ' no polyp.', 'Instrument: yes.'];
  const texts = questionTypes.flatMap((type) => [
    ...questions[type],
    ...values[type],
    ...values[type].flatMap((value) => sentences[type](value)),
  ]);
  return [...texts, reportQuestion, ...words, ...words];
}
