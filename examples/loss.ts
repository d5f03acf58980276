/**
 * Just the loss: cross-entropy over arrays, for any model, in Node and in a browser. No file, no engine, no thread.
 *
 *     npx jiti examples/loss.ts
 */
import { crossEntropy } from 'lorikeet/loss';

// What a model says of the next token at four places, over a vocabulary of five words.
const logits = [
  [2, 0, 0, 0, 0],
  [0, 3, 0, 0, 1],
  [0, 0, 0, 4, 0],
  [1, 1, 1, 1, 1],
];
// The token that stands there; -100 where it is not the assistant's, so that it is no label.
const labels = [-100, 1, 3, 2];

const { loss, perToken, count } = crossEntropy(logits, labels);
console.log(`loss ${loss.toFixed(4)} over ${count} label tokens`);
perToken.forEach((nats, t) => {
  if (labels[t] !== -100)
    console.log(`token ${t}: ${nats.toFixed(4)}, probability ${Math.exp(-nats).toFixed(4)}`);
});
