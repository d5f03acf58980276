/**
 * Train and ask: the same run as `lorikeet train`, as a stream of typed events, and a question to what it taught.
 *
 *     npx jiti examples/train-and-ask.ts CONFIG.yaml PICTURE "question" [key=value ...]
 */
import { LorikeetError, loadConfig, loadModel, train } from 'lorikeet';

const [file, image, question, ...set] = process.argv.slice(2);
if (!file || !image || !question)
  throw new Error('usage: npx jiti examples/train-and-ask.ts CONFIG.yaml PICTURE "question" [key=value ...]');

// Aborting stops at the next step boundary and keeps what was learned.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const loaded = await loadConfig(file, { set });
  const { model: base, output } = loaded.config;
  let adapter: string | undefined;
  for await (const event of train(loaded, { signal: stop.signal })) {
    if (event.type === 'step') console.log(`step ${event.step}: loss ${event.loss.toFixed(4)}`);
    if (event.type === 'evaluate') console.log(`validation loss ${event.loss.toFixed(4)}`);
    if (event.type === 'finish') adapter = `${output}/${event.best ? 'best' : 'adapter'}`;
  }

  const model = await loadModel({ model: base, adapter });
  const { text } = await model.generate({ image, question, maxNewTokens: 64 });
  console.log(`${question}\n  ${text}`);
  await model.close();
} catch (error) {
  if (!(error instanceof LorikeetError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
