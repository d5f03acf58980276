/** The validated forms of a sample, from a line of a file to tokens. Data only. */

/** Where a picture's bytes are. Pixels are decoded when a batch needs them, never before. */
export type ImageReference = { path: string } | { dataUrl: string } | HeldImage;

/** A picture whose bytes stood in the row itself, as in parquet. */
export interface HeldImage extends HeldName {
  bytes: Uint8Array;
}

/** Which picture it was, without its bytes: pictures with the same name are the same. */
export interface HeldName {
  held: string;
}

/** Enough of a reference to tell pictures apart and to name them. */
export type ImageName = Exclude<ImageReference, HeldImage> | HeldName;

export type ContentPart = { type: 'text'; text: string } | { type: 'image'; image: ImageReference };

export type Role = 'system' | 'user' | 'assistant';

export interface Turn {
  role: Role;
  content: ContentPart[];
}

/** A validated row: a conversation with its pictures in place. `row` counts from 0 over the file's rows. */
export interface Example {
  row: number;
  turns: Turn[];
  /** Question type, where the data has one. */
  type?: string;
  /** What kind of answer is asked for (open, closed), where the data has a column for it. */
  answerType?: string;
  /** What must not stand on both sides of a split: patient, video. */
  group?: string;
}

/** Why a token is, or is not, a label. Only `answer` and `end` are trained. */
export const tokenKinds = ['system', 'user', 'header', 'image', 'padding', 'answer', 'end'] as const;
export type TokenKind = (typeof tokenKinds)[number];

/** An image's patches before merging: frames (1 for a picture), rows, columns. */
export type Grid = readonly [frames: number, rows: number, columns: number];

/** What one conversation becomes without its pixels. T tokens. */
export interface Encoded {
  row: number;
  /** [T] token ids, image tokens repeated as often as their grid asks. */
  ids: Int32Array;
  /** [T] index into `tokenKinds`. */
  kinds: Uint8Array;
  /** One grid for each image, in the order of their runs in `ids`. */
  grids: Grid[];
  /** One reference for each image, in the same order. */
  images: ImageReference[];
  /** How many tokens `maxLength` cut off the end; absent is none. */
  cut?: number;
}

/** Labels in the form every other tool uses, [T]: the id where trained, -100 elsewhere. Not shifted. */
export function labelsOf(encoded: Encoded): Int32Array {
  return encoded.ids.map((id, t) => (isLabel(encoded.kinds[t]) ? id : -100));
}

export function isLabel(kind: number): boolean {
  return tokenKinds[kind] === 'answer' || tokenKinds[kind] === 'end';
}
