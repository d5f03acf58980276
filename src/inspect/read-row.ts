/** One row of the data, from its line to what every token of it costs. */
import type { Dataset } from '../data/dataset.ts';
import type { Example } from '../data/example.ts';
import { isBadRow, withPlace } from '../data/place.ts';
import type { CompiledModelStep } from '../train/compiled-step.ts';
import type { Encoder } from '../train/encoder.ts';
import { labelPositions } from '../train/score.ts';
import type { Sample, TokenLoss } from '../train/step.ts';
import { checkFinite, sumsOf } from './arithmetic.ts';
import { audit, type LossesByPlace } from './audit.ts';
import { readImages } from './images.ts';
import type { LabelRule, RowLabels } from './label-rules.ts';
import type { InspectedRow, InspectedToken, SeenRow } from './row.ts';
import { readTokens } from './tokens.ts';

type Model = Pick<CompiledModelStep, 'explain' | 'lossesAt'>;

export interface RowReading {
  dataset: Dataset;
  encoder: Encoder;
  /** None where the model has no weights. */
  step?: Model;
  rule?: LabelRule;
  mergeSize: number;
  /** Where the data's pictures are. */
  folder: string;
  pictureSide?: number;
}

/** A row that cannot be used comes as refused, with its place in the file. */
export async function readRow(row: number, reading: RowReading): Promise<InspectedRow> {
  const { dataset, encoder } = reading;
  try {
    const example = await dataset.example(row);
    return await seeRow(example, await encoder.load(example), reading);
  } catch (cause) {
    const error = withPlace(cause, dataset.place(row));
    if (!isBadRow(error)) throw error;
    return { row, refused: error.message };
  }
}

async function seeRow(example: Example, sample: Sample, reading: RowReading): Promise<SeenRow> {
  const { encoded } = sample;
  const { encoder, step, rule } = reading;
  const losses = step && (await explainLabels(sample, step));
  const tokens = readTokens(sample, losses, { ...encoder, mergeSize: reading.mergeSize });
  const labels = rule?.labelsOf(encoded);
  const under = labels && step && (await lossesUnder(labels, sample, tokens, step));
  const seen = rule && labels ? audit(tokens, labels, under, rule.name) : { tokens, wouldBe: null };
  const { type, group } = example;
  return {
    row: encoded.row,
    images: await readImages(encoded, { ...reading, decode: encoder.decode }),
    tokens: seen.tokens,
    ...sumsOf(seen.tokens),
    ...(type !== undefined && { type }),
    ...(group !== undefined && { group }),
    ...(encoded.cut && { cut: encoded.cut }),
    ...(rule && { wouldBe: seen.wouldBe }),
  };
}

async function explainLabels(sample: Sample, step: Model): Promise<TokenLoss[]> {
  const positions = labelPositions(sample.encoded);
  const explained = await step.explain(sample, positions);
  const losses = explained.map(({ loss }) => loss);
  checkFinite(sample.encoded.row, positions, losses);
  return explained;
}

/** By place in the text, of every token that the rule trains: those of our own labels are known already. */
async function lossesUnder(
  { trained }: RowLabels,
  sample: Sample,
  tokens: readonly InspectedToken[],
  step: Model,
): Promise<LossesByPlace> {
  const others = tokens.flatMap(({ label }, t) => (trained[t] === 1 && !label ? [t] : []));
  const losses = await step.lossesAt(sample, others);
  checkFinite(sample.encoded.row, others, losses);
  const found = new Map(others.map((t, i) => [t, losses[i]]));
  tokens.forEach(({ loss }, t) => {
    if (loss !== null) found.set(t, loss);
  });
  return found;
}
