/**
 * Score: what `lorikeet evaluate` finds, as numbers. Two other scores say what the first is worth: that of never looking at
 * the picture, and the model's own on the wrong pictures.
 *
 *     npx jiti examples/score.ts CONFIG.yaml [ADAPTER]
 */
import { evaluate, LorikeetError, loadConfig } from 'lorikeet';

const [file, adapter] = process.argv.slice(2);
if (!file) throw new Error('usage: npx jiti examples/score.ts CONFIG.yaml [ADAPTER]');

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

try {
  for await (const event of evaluate(await loadConfig(file), { adapter })) {
    if (event.type === 'lost') console.error(event.reason);
    if (event.type !== 'evaluated') continue;
    const { overall, imageTest } = event.scorecard;
    console.log(`exact match     ${percent(overall.exactMatch.value)} of ${overall.answers} answers`);
    console.log(`never looking   ${percent(overall.floor.value)}`);
    if (imageTest) console.log(`wrong pictures  ${percent(imageTest.shuffled.value)}`);
    const wrong = event.predictions.find(({ exact }) => !exact);
    if (wrong) console.log(`${wrong.question}\n  ${wrong.predicted}\n  expected ${wrong.expected}`);
  }
} catch (error) {
  if (!(error instanceof LorikeetError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
