/**
 * What the loss sees of one row: every label token with its loss, and what the model would have said in its place.
 *
 *     npx jiti examples/inspect.ts CONFIG.yaml [ROW]
 */
import { inspect, LorikeetError, loadConfig } from 'lorikeet';

const [file, row = '0'] = process.argv.slice(2);
if (!file) throw new Error('usage: npx jiti examples/inspect.ts CONFIG.yaml [ROW]');

try {
  for await (const seen of inspect(await loadConfig(file), { rows: [Number(row)] })) {
    if ('refused' in seen) {
      console.log(`row ${seen.row} cannot be used: ${seen.refused}`);
      continue;
    }
    console.log(`row ${seen.row}: ${seen.labelTokens} of ${seen.tokens.length} tokens are trained`);
    for (const token of seen.tokens) {
      if (!token.label) continue;
      const [likeliest] = token.top;
      const instead =
        likeliest && likeliest.id !== token.id ? `  rather ${JSON.stringify(likeliest.text)}` : '';
      console.log(`${token.loss?.toFixed(4) ?? 'no weights'}  ${JSON.stringify(token.text)}${instead}`);
    }
    console.log(seen.arithmetic ?? 'The model folder holds no weights, so there are no losses.');
  }
} catch (error) {
  if (!(error instanceof LorikeetError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
