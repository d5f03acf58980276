/** Tokens of a row as the strips of a page. */
import type { StripCell, StripToken } from '../page/tokens.ts';
import type { InspectedImage, InspectedToken, SeenRow } from './row.ts';

/** As Lorikeet trains the row. */
export function ourStrip({ tokens, images }: SeenRow): StripCell[] {
  return cells(tokens, images, (token, at) => ({
    ...shared(token),
    label: token.label,
    loss: token.loss,
    ...(token.label
      ? {
          ...(token.probability !== null && { probability: token.probability }),
          top: token.top,
          notes: [`token ${at}, predicted from token ${token.predictedFrom}`],
        }
      : { reason: token.reason }),
  }));
}

/** As another rule trains it. */
export function theirStrip({ tokens, images }: SeenRow): StripCell[] {
  return cells(tokens, images, (token, at) => {
    const { label, loss, probability } = token.wouldBe!;
    return {
      ...shared(token),
      label,
      loss,
      ...(probability !== null && { probability }),
      reason: 'this rule masks it',
      notes: [`token ${at}; by Lorikeet ${token.label ? 'trained' : `no label: ${token.reason}`}`],
    };
  });
}

const shared = ({ text, id, position }: InspectedToken) => ({ text, id, position });

/** Runs of image tokens are one cell, which says what the other rule makes of them. */
function cells(
  tokens: readonly InspectedToken[],
  images: readonly InspectedImage[],
  cell: (token: InspectedToken, at: number) => StripToken,
): StripCell[] {
  const strip: StripCell[] = [];
  let image = 0;
  for (let t = 0; t < tokens.length; t++) {
    if (!isImage(tokens[t])) {
      strip.push(cell(tokens[t], t));
      continue;
    }
    const run = tokens.slice(t, t + images[image].tokens);
    strip.push({ imageTokens: run.length, grid: images[image].grid, notes: runNotes(run, t) });
    t += run.length - 1;
    image++;
  }
  return strip;
}

const isImage = (token: InspectedToken) => !token.label && token.reason === 'image';

function runNotes(run: readonly InspectedToken[], start: number): string[] {
  const notes = [`tokens ${start} to ${start + run.length - 1}`];
  const trained = run.filter(({ wouldBe }) => wouldBe?.label);
  if (trained.length === 0) return notes;
  const losses = trained.flatMap(({ wouldBe }) => wouldBe!.loss ?? []);
  const sum = losses.reduce((total, loss) => total + loss, 0);
  const cost = losses.length > 0 ? `: ${sum.toFixed(2)} nats, ${(sum / losses.length).toFixed(2)} each` : '';
  return [...notes, `the other rule trains ${trained.length} of them${cost}`];
}
