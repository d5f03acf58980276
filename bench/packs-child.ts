/** The process in which our side of bench/packs.ts and bench/full-step.ts runs. */
import { graphGflop } from './flop.ts';
import { Matmul } from './matmul.ts';
import { branchTokens, lengths, pictureSamples, prefixTokens } from './picture-samples.ts';
import { openTrainer, type TrainerOptions } from './trainer.ts';
import { answer } from './worker-process.ts';

export type TrainerRequest =
  /** Seconds of a step on questions about a picture; without `fresh` it is one that the cache knows. */
  | { do: 'step'; picture: number; questions: number; fresh: boolean }
  /** GFLOP/s of MatMul, kept up for so many seconds. */
  | { do: 'matmul'; seconds: number }
  /** GFLOP of a step's products behind the vision tower. */
  | { do: 'gflop'; questions: number };

const options: TrainerOptions = JSON.parse(process.argv[2]);
const trainer = await openTrainer(options);
let matmul: Matmul | undefined;

await answer(async (request: TrainerRequest) => {
  if (request.do === 'matmul') {
    matmul ??= await Matmul.open(options.threads);
    return matmul.rate(request.seconds);
  }
  if (request.do === 'gflop') {
    const [T, N] = [prefixTokens + request.questions * branchTokens, request.questions * lengths.answer];
    return graphGflop(trainer.graph(), { T, N, M: lengths.imageTokens });
  }
  const samples = pictureSamples(request.picture, request.questions);
  // The loader has cut the pictures of fresh ones into patches; of known ones nothing is read.
  if (!request.fresh) for (const { images } of samples) for (const image of images) image.patches = undefined;
  const start = performance.now();
  await trainer.step(samples);
  return (performance.now() - start) / 1000;
});
