/**
 * Training from a program: the same run as `lorikeet train`, as a stream of typed events.
 *
 *     npx jiti examples/train.ts CONFIG.yaml
 */
import { LorikeetError, loadConfig, train } from 'lorikeet';

const [file, ...set] = process.argv.slice(2);
if (!file) throw new Error('usage: npx jiti examples/train.ts CONFIG.yaml [key=value ...]');

// Aborting stops after the micro-batch under way and keeps a checkpoint, from which resume: true goes on.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const config = await loadConfig(file, { set });
  for await (const event of train(config, { signal: stop.signal, resume: true })) {
    switch (event.type) {
      case 'start':
        console.log(`${event.data.train.rows} rows, ${event.totalSteps} steps on ${event.device}`);
        break;
      case 'step':
        console.log(
          `step ${event.step}: loss ${event.loss.toFixed(4)} over ${event.labelTokens} label tokens`,
        );
        break;
      case 'evaluate':
        console.log(`validation loss ${event.loss.toFixed(4)}, ${event.exactMatch * 100} % of answers exact`);
        break;
      case 'finish':
        console.log(`${event.status} after ${event.step} steps; adapter in ${config.config.output}/adapter`);
        break;
    }
  }
} catch (error) {
  if (!(error instanceof LorikeetError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
