/** An answer on the terminal: its text alone on stdout as it comes, everything about it on stderr. */
import type { AnswerStream } from '../generate/answer-stream.ts';
import type { Answer } from '../generate/engine.ts';
import type { CallOptions } from '../generate/model.ts';
import { count, duration } from '../words.ts';

/** Seconds of silence after which it is said what the model is doing. */
const patience = 2;

export async function showAnswer(
  start: (hooks: CallOptions) => AnswerStream,
  signal: AbortSignal,
): Promise<Answer> {
  const waiting = tellWaiting();
  const notices: string[] = [];
  try {
    const stream = start({ signal, onPrompt: waiting.prompt, onNotice: (text) => notices.push(text) });
    let space = ''; // white space at the end of an answer is not shown
    for await (const text of stream) {
      waiting.end();
      const shown = (space + text).trimEnd();
      space = (space + text).slice(shown.length);
      process.stdout.write(shown);
    }
    waiting.end();
    process.stdout.write('\n');
    const answer = await stream.result;
    process.stderr.write(`${speed(answer)}\n`);
    for (const text of notices) process.stderr.write(`Note: ${text}\n`);
    return answer;
  } finally {
    waiting.end();
  }
}

/** Says what is read where that takes long: rewritten on a terminal, once elsewhere. */
function tellWaiting() {
  const begun = performance.now();
  let what = 'the pictures';
  let told = false;
  const tell = () => {
    const seconds = (performance.now() - begun) / 1000;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2KReading ${what} ... ${duration(seconds)}`);
    else if (!told) process.stderr.write(`Reading ${what} ...\n`);
    told = true;
  };
  let timer: NodeJS.Timeout | undefined = setTimeout(() => {
    tell();
    timer = setInterval(tell, 1000);
  }, patience * 1000);
  return {
    prompt({ tokens, pictures }: { tokens: number; pictures: number }) {
      what =
        pictures > 0
          ? `${count(tokens, 'token')}, ${count(pictures, 'picture')} among them`
          : count(tokens, 'token');
    },
    end() {
      clearTimeout(timer); // and an interval, which is the same to Node
      if (timer !== undefined && told && process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
      timer = undefined;
    },
  };
}

function speed({ tokens, finish, promptTokens, sharedTokens, seconds }: Answer): string {
  const rate = tokens.length / seconds.decode;
  const parts = [
    `${count(promptTokens - sharedTokens, 'token')} read in ${seconds.read.toFixed(1)} s`,
    `${count(tokens.length, 'token')} said in ${seconds.decode.toFixed(1)} s` +
      (tokens.length > 0 ? ` (${rate.toPrecision(3)} a second)` : ''),
  ];
  if (finish === 'length') parts.push('cut there, the answer had not ended (--max-new-tokens)');
  if (finish === 'aborted') parts.push('stopped');
  return parts.join('; ');
}
