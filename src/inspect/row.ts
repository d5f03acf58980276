/** What inspection tells of a row: plain JSON. Positions and rows count from 0, losses are in nats. */
import type { TokenKind } from '../data/example.ts';

/** Why a token is no label. */
export type MaskReason = Exclude<TokenKind, 'answer' | 'end'>;

export type InspectedRow = SeenRow | RefusedRow;

/** A row that cannot be used, and why. */
export interface RefusedRow {
  row: number;
  refused: string;
}

/** One conversation as the model receives it, T tokens of which N are labels. */
export interface SeenRow {
  row: number;
  images: InspectedImage[];
  /** [T] every image token stands here too. */
  tokens: InspectedToken[];
  /** N */
  labelTokens: number;
  /** Mean over the N label tokens: what training reports of this row alone. Null where the model has no weights. */
  loss: number | null;
  /** Of the N losses. */
  sum: number | null;
  /** The same without the turns' end tokens; its loss is null where nothing is left. */
  answer: { labelTokens: number; sum: number | null; loss: number | null };
  /** `Loss = (2.41 + 0.03 + ...) / 11 = ...` */
  arithmetic: string | null;
  /** Question type and group, where the data has them. */
  type?: string;
  group?: string;
  /** Tokens that `data.maxLength` cut off the end. */
  cut?: number;
  /** The same row under another label rule; null where the rule's file has no sequence for it. */
  wouldBe?: RowWouldBe | null;
}

export interface InspectedImage {
  /** As the data names it, relative to where its pictures are. */
  file: string;
  width: number;
  height: number;
  /** Rows and columns of image tokens. */
  grid: [rows: number, columns: number];
  tokens: number;
  /** A small JPEG in base64, where it was asked for. */
  picture?: string;
}

export type InspectedToken = MaskedToken | LabelToken;

interface TokenBase {
  id: number;
  /** Joined, the texts of all tokens are the text; part of a character is empty up to its last token. */
  text: string;
  /** M-RoPE: time, row, column. */
  position: [number, number, number];
  wouldBe?: TokenWouldBe;
}

export interface MaskedToken extends TokenBase {
  label: false;
  reason: MaskReason;
  loss: null;
}

export interface LabelToken extends TokenBase {
  label: true;
  /** `end`: the special token that ends the turn, and white space after it. */
  part: 'answer' | 'end';
  /** -ln of `probability`; null where the model has no weights. */
  loss: number | null;
  probability: number | null;
  /** The place of the token whose output predicts this one: the one before it. */
  predictedFrom: number;
  /** The likeliest tokens in this place, the likeliest first: five, or none without weights. */
  top: TopToken[];
}

export interface TopToken {
  id: number;
  text: string;
  probability: number;
}

/** A token under the other rule. Loss and probability are null where it is masked there, and without weights. */
export interface TokenWouldBe {
  label: boolean;
  loss: number | null;
  probability: number | null;
}

export interface RowWouldBe {
  /** `all`, `notImage`, `notPadding`, or the file. */
  rule: string;
  /** Tokens that would be trained; of those in a dump's padding the loss is not known. */
  labelTokens: number;
  /** Mean over them, padding left out. */
  loss: number | null;
  byReason: Partial<Record<TokenKind, ReasonTally>>;
}

export interface ReasonTally {
  tokens: number;
  /** By Lorikeet. */
  trained: number;
  /** By the other rule. */
  wouldBeTrained: number;
  /** Sum of the losses of those, and its share of the rule's whole sum; null where they are not known. */
  sum: number | null;
  share: number | null;
}
