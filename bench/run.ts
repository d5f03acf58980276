/**
 * All benches, printed and saved with the machine's facts:
 *
 *     npm run bench [-- speed memory mapping decode cache checkpoint check near report estimate] [--rounds 7] [--threads 2] [--out bench/results.json]
 *
 * PYTHON names an interpreter with torch, transformers and PEFT for the comparison; without one it is left out.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { engineVersion } from '../src/runtime/session.ts';
import { physicalCores } from '../src/runtime/threads.ts';
import { benchCache } from './cache.ts';
import { benchCheck } from './check.ts';
import { benchCheckpoint } from './checkpoint.ts';
import { benchDecode } from './decode.ts';
import { benchEstimate } from './estimate.ts';
import { gradientBytes, layersConfig } from './layers.ts';
import { benchMemory, type MemoryResult } from './memory.ts';
import { benchNear } from './near.ts';
import { benchReport } from './report.ts';
import { benchSpeed } from './speed.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(physicalCores()) },
    out: { type: 'string' },
  },
});
const wanted =
  positionals.length > 0
    ? positionals
    : ['speed', 'memory', 'mapping', 'decode', 'cache', 'checkpoint', 'check', 'near', 'report'];
const [rounds, threads] = [Number(values.rounds), Number(values.threads)];

const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  onnxruntime: engineVersion,
  threads,
};

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

async function speed() {
  const result = await benchSpeed('2B', threads, rounds);
  const { matmulGflops, stepGflops, shareOfMatmul, againstTorch } = result;
  console.log('Two decoder layers at 2B width, 512 tokens, LoRA on seven linears, forward + backward');
  console.log(`  MatMul 512x1536x8960   ${matmulGflops.toFixed(0)} GFLOP/s`);
  console.log(
    `  the step               ${stepGflops.toFixed(0)} GFLOP/s, ${percent(shareOfMatmul)} of MatMul`,
  );
  console.log(
    `  against PyTorch f32    ${againstTorch ? `${againstTorch.toFixed(2)} times as fast` : 'no PyTorch here'}`,
  );
  return result;
}

async function memory() {
  console.log('What a step adds in MB, 512 tokens, width 256: the gradients that come back are taken off');
  const rows: (MemoryResult & { layers: number; recompute: boolean; activations: number })[] = [];
  for (const layers of [4, 8, 16])
    for (const recompute of [false, true]) {
      const result = await benchMemory({ layers, recompute, tokens: 512, dtype: 'f32', size: 'small' });
      const activations =
        result.peak - result.opened - gradientBytes(layersConfig('small', layers)) / 2 ** 20;
      rows.push({ layers, recompute, activations, ...result });
      const how = recompute ? 'recompute' : 'kept     ';
      console.log(`  ${String(layers).padStart(2)} layers, ${how}  ${activations.toFixed(0).padStart(4)}`);
    }
  return rows;
}

async function mapping() {
  const result = await benchMemory({ layers: 43, recompute: true, tokens: 16, dtype: 'bf16', size: '2B' });
  console.log('A 4.0 GB bf16 checkpoint (43 layers at 2B width)');
  console.log(`  mapped, adds           ${(result.opened - result.base).toFixed(0)} MB of anonymous memory`);
  console.log(
    `  a step of 16 tokens    ${(result.peak - result.opened).toFixed(0)} MB more, LoRA gradients among them`,
  );
  return result;
}

async function decode() {
  const result = await benchDecode(threads, rounds);
  const { read, packed, mapped, bf16, bf16Packed } = result.gigabytesPerSecond;
  const rate = (value: number) => `${value.toFixed(1).padStart(5)} GB/s`;
  console.log(
    `Decoding at 2B width, ${result.layers} layers and the head, 320 tokens in the cache; f32 bytes`,
  );
  console.log(`  a plain read           ${rate(read)}`);
  console.log(`  f32 packed             ${rate(packed)}, ${percent(result.shareOfBandwidth)} of the read`);
  console.log(`  f32 mapped             ${rate(mapped)}`);
  console.log(`  bf16 packed as f32     ${rate(bf16Packed)}`);
  console.log(`  bf16 cast at every use ${rate(bf16)}`);
  const { cached, scoring } = result.prefill;
  console.log(
    `  reading 320 tokens     ${cached.toFixed(2)} s; scored as in training ${scoring.toFixed(2)} s`,
  );
  return result;
}

async function cache() {
  const result = await benchCache(threads, rounds);
  const { milliseconds, bytes, small, differing, digestRate } = result;
  console.log('A picture of 324 image tokens at 2B widths, 4 of 32 vision layers');
  console.log(`  through the tower      ${milliseconds.tower.toFixed(0)} ms`);
  for (const precision of ['f32', 'f16'] as const) {
    const { memory, disk, write } = milliseconds[precision];
    const size = `${(bytes[precision] / 1e6).toFixed(1)} MB`;
    console.log(
      `  kept in ${precision}, ${size}    memory ${memory.toFixed(2)} ms, disk ${disk.toFixed(2)} ms; writing it once ${write.toFixed(2)} ms`,
    );
  }
  for (const { patches, places, alone, together } of small)
    console.log(
      `  ${String(patches).padStart(3)} patches            alone ${alone.toFixed(0)} ms, ${places} together ${together.toFixed(0)} ms each`,
    );
  console.log(
    `  numbers that differ    ${percent(differing.together)} of four pictures together, ${percent(differing.masked)} behind a mask`,
  );
  console.log(`  digest of the weights  ${digestRate.toFixed(2)} GB/s`);
  return result;
}

async function checkpoint() {
  const result = await benchCheckpoint(rounds);
  const { megabytes, written, verified } = result;
  console.log('A checkpoint of LoRA rank 16 on the seven linears of the 2B decoder');
  console.log(
    `  ${megabytes.toFixed(0)} MB                 written in ${written.toFixed(2)} s, verified in ${verified.toFixed(2)} s`,
  );
  return result;
}

async function check() {
  const result = await benchCheck();
  console.log('The check of the training rows of easy-VQA');
  if (!result) console.log('  no ../shared/data here');
  else {
    const { rows, pictures, seconds, processorSeconds, peakMemory } = result;
    console.log(`  ${rows} rows, ${pictures} pictures  ${seconds.toFixed(1)} s`);
    console.log(`  processor time, all threads  ${processorSeconds.toFixed(1)} s`);
    console.log(`  memory at its peak     ${peakMemory.toFixed(0)} MB`);
  }
  return result;
}

async function near() {
  const results = await benchNear();
  console.log(
    'Near-duplicates: bits and levels that pictures saved anew differ by at most, and how many are missed',
  );
  for (const { name, pictures, changes, pairs } of results) {
    console.log(`  ${name}, ${pictures} pictures`);
    for (const [change, { bits, levels, missed }] of Object.entries(changes))
      console.log(
        `    ${change.padEnd(12)} ${String(bits).padStart(2)} bits  ${levels.toFixed(2)} levels  ${missed} missed`,
      );
    const { nearBits, found, leastLevels } = pairs;
    console.log(
      `    pairs with near bits ${nearBits}, taken for the same ${found}, least ${leastLevels.toFixed(2)} levels`,
    );
  }
  return results;
}

async function report() {
  const result = await benchReport(rounds);
  const { steps, validationTokens, read, write, megabytes } = result;
  console.log(`The report of a run with ${steps} steps and ${validationTokens} validation tokens`);
  console.log(`  read ${read.toFixed(2)} s, written ${write.toFixed(2)} s, ${megabytes.toFixed(2)} MB`);
  return result;
}

async function estimate() {
  const results = await benchEstimate();
  console.log(
    'What `lorikeet estimate` says of a run and what the run then takes: anonymous memory at its peak, seconds',
  );
  for (const { name, recompute, maxTokens, pixels, ...figures } of results) {
    const { estimated, measured, estimatedSeconds, measuredSeconds } = figures;
    console.log(
      `  ${name}, ${recompute ? 'recompute' : 'kept'}, ${maxTokens} tokens, ${pixels} px  ` +
        `${estimated.toFixed(0)} MB for ${measured.toFixed(0)} (${(estimated / measured).toFixed(2)})  ` +
        `${estimatedSeconds.toFixed(1)} s for ${measuredSeconds.toFixed(1)} (${(estimatedSeconds / measuredSeconds).toFixed(2)})`,
    );
  }
  return results;
}

const benches = { speed, memory, mapping, decode, cache, checkpoint, check, near, report, estimate };
const results: Record<string, unknown> = { machine };
console.log(
  Object.entries(machine)
    .map(([key, value]) => `${key} ${value}`)
    .join(', '),
);
for (const name of wanted) {
  if (!(name in benches))
    throw new Error(`bench expected one of ${Object.keys(benches).join(', ')}, got ${name}`);
  results[name] = await benches[name as keyof typeof benches]();
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
