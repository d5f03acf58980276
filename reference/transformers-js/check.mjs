/**
 * Asks transformers.js what Lorikeet was asked, and counts equal answers:
 *
 *     npm install && node check.mjs EXPORTED_DIR QUESTIONS.jsonl
 *
 * Lines hold `image` (a path), `question` and `answer`, Lorikeet's greedy one. Pictures whose sides are multiples of 28
 * are not resized, where the processors of Python and of transformers.js differ.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { AutoProcessor, env, Qwen2VLForConditionalGeneration, RawImage } from '@huggingface/transformers';

const [folder, questions] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
const id = basename(resolve(folder));

const processor = await AutoProcessor.from_pretrained(id);
const model = await Qwen2VLForConditionalGeneration.from_pretrained(id);

async function answer({ image, question }) {
  const content = [{ type: 'image' }, { type: 'text', text: question }];
  const text = processor.apply_chat_template([{ role: 'user', content }], { add_generation_prompt: true });
  const inputs = await processor(text, await RawImage.read(image));
  const ids = await model.generate({ ...inputs, max_new_tokens: 24, do_sample: false });
  const fresh = ids.slice(null, [inputs.input_ids.dims.at(-1), null]);
  return processor.batch_decode(fresh, { skip_special_tokens: true })[0].trim();
}

const rows = readFileSync(questions, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
let equal = 0;
for (const row of rows) {
  const found = await answer(row);
  if (found === row.answer.trim()) equal++;
  else
    console.log(`${row.image} ${row.question}\n  Lorikeet       ${row.answer}\n  transformers.js ${found}`);
}
console.log(`${equal} of ${rows.length} answers equal`);
process.exitCode = equal === rows.length ? 0 : 1;
