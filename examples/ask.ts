/**
 * Questions about one picture: it is read once, the answers come together, and the last one word by word.
 *
 *     npx jiti examples/ask.ts MODEL PICTURE "question" ["question" ...]
 */
import { LorikeetError, loadModel } from 'lorikeet';

const [folder, image, ...questions] = process.argv.slice(2);
if (!folder || !image || questions.length === 0)
  throw new Error('usage: npx jiti examples/ask.ts MODEL PICTURE "question" ["question" ...]');

try {
  // With `adapter: 'runs/first/best'` it answers as it was taught.
  const model = await loadModel({ model: folder });
  const about = await model.about({ image });
  const answers = await about.askAll(questions, { maxNewTokens: 64 });
  questions.forEach((question, i) => {
    const { text, finish } = answers[i];
    console.log(`${question}\n  ${text}${finish === 'length' ? ' ...' : ''}`);
  });

  // The same again as it comes; a temperature draws, and the seed makes the draw the same every time.
  for await (const piece of about.stream(questions[0], { temperature: 0.7, topP: 0.9, seed: 1 }))
    process.stdout.write(piece);
  process.stdout.write('\n');
  await model.close();
} catch (error) {
  if (!(error instanceof LorikeetError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
