/**
 * Samples a second for k questions about each picture, against transformers and PEFT doing the same samples one by one on
 * the same machine, interleaved in one run. Ours is a run of three epochs from a cold cache: the vision pass, the write to
 * disk and three optimizer steps for each picture.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type BenchOptions, median, noTorch, percent } from './bench.ts';
import { hubConfig, modelFolder } from './model-folder.ts';
import type { TrainerRequest } from './packs-child.ts';
import { branchTokens, grid, lengths, prefixTokens } from './picture-samples.ts';
import { WorkerProcess } from './worker-process.ts';

const questionCounts = [1, 4, 8, 25];
const epochs = 3;
const [layers, depth] = [4, 4];

type PeerType = 'float32' | 'bfloat16';
const peerTypes: PeerType[] = ['float32', 'bfloat16'];

interface PackFigures {
  questions: number;
  /** Samples a second over the three epochs, by the type that the weights are stored in. */
  ours: Record<'f32' | 'bf16', number>;
  /** Of PyTorch with its better number of threads. */
  torch: Partial<Record<PeerType, number>>;
  /** GFLOP/s of a step on a known picture over that of MatMul in the same rounds. */
  shareOfMatmul: Record<'f32' | 'bf16', number>;
}

export interface PacksResult {
  layers: number;
  depth: number;
  matmulGflops: number;
  /** Seconds of a step on a known picture, for the figures of `packs`. */
  packs: PackFigures[];
  /** Threads that PyTorch was better with. */
  torchThreads: Partial<Record<PeerType, number>>;
}

/** What was measured, by name, one value a round. */
type Times = Map<string, number[]>;

export const packs: Bench<PacksResult> = {
  async run(options) {
    const cacheDir = mkdtempSync(join(options.scratch, 'vision-cache-'));
    const sides = await openSides(options, cacheDir);
    const times: Times = new Map();
    try {
      for (let round = -1; round < options.rounds; round++) await takeTurns(sides, options, round, times);
      return { layers, depth, ...(await summarise(sides, times)) };
    } finally {
      for (const side of [...sides.ours.values(), ...sides.torch.values()]) side.stop();
      rmSync(cacheDir, { recursive: true, force: true });
    }
  },
  tell: tellPacks,
};

interface Sides {
  ours: Map<'f32' | 'bf16', WorkerProcess>;
  torch: Map<PeerType, WorkerProcess>;
}

async function openSides({ quick, scratch, threads }: BenchOptions, cacheDir: string): Promise<Sides> {
  const size = quick ? 'small' : '2B';
  const ours: Sides['ours'] = new Map();
  for (const dtype of ['f32', 'bf16'] as const) {
    const modelDir = await modelFolder(scratch, { size, layers, depth, dtype });
    const options = { modelDir, cacheDir: join(cacheDir, dtype), recompute: false, threads };
    ours.set(dtype, await WorkerProcess.start('packs-child.ts', options));
  }
  const torch: Sides['torch'] = new Map();
  for (const dtype of peerTypes) {
    const config = { ...hubConfig({ size, layers, depth }), image_token_id: 151655 };
    const shape = { prefix: prefixTokens, branch: branchTokens, ...lengths, grid };
    const peer = await WorkerProcess.startPython('torch_samples.py', { config, dtype, ...shape });
    if (peer) torch.set(dtype, peer);
  }
  return { ours, torch };
}

/** The first turn, number -1, warms up and is not kept. */
async function takeTurns(
  { ours, torch }: Sides,
  options: BenchOptions,
  round: number,
  times: Times,
): Promise<void> {
  const note = (name: string, value: number) => {
    if (round >= 0) times.set(name, [...(times.get(name) ?? []), value]);
  };
  for (const [at, questions] of questionCounts.entries()) {
    for (const [dtype, side] of ours) {
      const ask = (request: TrainerRequest) => side.ask(request).then(({ value }) => value);
      const picture = 1000 * (round + 1) + at;
      const step = (fresh: boolean) => ask({ do: 'step', picture, questions, fresh });
      await step(true).then((seconds) => note(`${dtype} ${questions} fresh`, seconds));
      for (let epoch = 1; epoch < epochs; epoch++) {
        const seconds = await step(false);
        note(`${dtype} ${questions} known`, seconds);
        if (epoch === 1) note(`${dtype} ${questions} matmul`, await ask({ do: 'matmul', seconds }));
      }
    }
    for (const [dtype, peer] of torch)
      for (const threads of new Set([1, options.threads])) {
        const ask = (what: string) => peer.ask({ do: what, threads }).then(({ value }) => value);
        note(`${dtype} ${threads} sample`, await ask('sample'));
        note(`${dtype} ${threads} optimizer`, await ask('optimizer'));
      }
  }
}

async function summarise(
  { ours, torch }: Sides,
  times: Times,
): Promise<Omit<PacksResult, 'layers' | 'depth'>> {
  const of = (name: string) => median(times.get(name)!);
  const torchThreads: PacksResult['torchThreads'] = {};
  for (const dtype of torch.keys()) {
    const tried = [...times.keys()].flatMap((name) =>
      name.startsWith(`${dtype} `) && name.endsWith('sample') ? [Number(name.split(' ')[1])] : [],
    );
    torchThreads[dtype] = tried.sort((a, b) => of(`${dtype} ${a} sample`) - of(`${dtype} ${b} sample`))[0];
  }
  const packs: PackFigures[] = [];
  for (const questions of questionCounts) {
    const figures: PackFigures = {
      questions,
      ours: { f32: 0, bf16: 0 },
      torch: {},
      shareOfMatmul: { f32: 0, bf16: 0 },
    };
    for (const [dtype, side] of ours) {
      const [fresh, known] = ['fresh', 'known'].map((what) => of(`${dtype} ${questions} ${what}`));
      figures.ours[dtype] = (epochs * questions) / (fresh + (epochs - 1) * known);
      const { value: gflop } = await side.ask({ do: 'gflop', questions } satisfies TrainerRequest);
      figures.shareOfMatmul[dtype] = gflop / known / of(`${dtype} ${questions} matmul`);
    }
    for (const [dtype, threads] of Object.entries(torchThreads) as [PeerType, number][])
      figures.torch[dtype] =
        questions / (questions * of(`${dtype} ${threads} sample`) + of(`${dtype} ${threads} optimizer`));
    packs.push(figures);
  }
  const rates = [...times].flatMap(([name, values]) => (name.endsWith('matmul') ? values : []));
  return { matmulGflops: median(rates), packs, torchThreads };
}

function tellPacks({ layers, depth, matmulGflops, packs, torchThreads }: PacksResult): string[] {
  const rate = (value: number) => value.toFixed(2).padStart(7);
  const against = (ours: number, theirs: number | undefined, peer: string) =>
    theirs === undefined ? '' : `, ${(ours / theirs).toFixed(1).padStart(5)} times ${peer}`;
  const lines = packs.flatMap(({ questions, ours, torch, shareOfMatmul }) => [
    `  k = ${questions}`,
    ...(Object.entries(torch) as [PeerType, number][]).map(
      ([dtype, value]) =>
        `    PyTorch ${dtype.padEnd(9)} ${rate(value)}  (${torchThreads[dtype]} of 1 and 2 threads)`,
    ),
    ...(['f32', 'bf16'] as const).map(
      (dtype) =>
        `    weights in ${dtype.padEnd(6)} ${rate(ours[dtype])}${against(ours[dtype], torch.float32, 'PyTorch f32')}${against(ours[dtype], torch.bfloat16, 'PyTorch bf16')}; a step runs at ${percent(shareOfMatmul[dtype])} of MatMul`,
    ),
  ]);
  return [
    `Samples a second, k questions about each picture, ${epochs} epochs from a cold cache (vision passes and cache writes counted)`,
    `  2B widths with ${depth} vision and ${layers} decoder layers; ${lengths.imageTokens} image tokens, ${lengths.before + lengths.after} of prefix, ${lengths.question} + ${lengths.answer} a branch`,
    `  MatMul ${matmulGflops.toFixed(0)} GFLOP/s`,
    ...(Object.keys(torchThreads).length === 0 ? [`  ${noTorch}`] : []),
    ...lines,
  ];
}
