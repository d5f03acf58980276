/** What people who come from other trainers write, and our word for it. */
import { words, wordsOf } from './words.ts';

/** Spelling aside: `per_device_train_batch_size`, `perDeviceTrainBatchSize`. */
function plain(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

const rows =
  'use train.gradientAccumulation: the rows of one optimizer step (batch size x accumulation steps elsewhere)';
const memory = 'leave it out: how many rows run together follows from pack.maxTokens, and changes no result';
const arithmetic = 'leave it out: training computes in f32, whatever the weights are stored as';
const adamw = 'leave it out: the optimizer is AdamW with betas 0.9, 0.999 and eps 1e-8';
const lengths = 'use data.maxLength: tokens of a sample, image tokens counted';
const answerLength = 'leave it out: an answer in an evaluation is cut after 128 tokens';
const labels = "leave it out: only the assistant's answers are trained on, always";
const budget = 'use memory at the top of the file: what the run may hold, as 12GB; it is then cut to fit';
const tower =
  'leave it out: the vision tower is frozen unless lora.targetModules or full.parameters name modules of it';
const pictures =
  'leave it out: what a frozen vision tower makes of a picture is computed once and kept; `cache` says where';
const resuming = 'leave it out and say --resume on the command line';
const best =
  'leave it out: output/best is always kept beside output/adapter, and `lorikeet evaluate` takes it first';
const direction = 'leave it out: train.bestBy knows for each figure whether more of it is better or less';
const later = 'leave it out: there is no such setting';

/** A word of ours alone stands for "use <word>". */
const habits: Record<string, string> = {
  // model
  modelNameOrPath: 'model',
  baseModel: 'model',
  modelName: 'model',
  modelId: 'model',
  modelPath: 'model',
  pretrainedModelNameOrPath: 'model',
  adapterNameOrPath: 'adapter',
  adapterPath: 'adapter',
  loraPath: 'adapter',
  resumeAdapter: 'adapter',
  loraModelDir: 'adapter',
  outputDir: 'output',
  saveDir: 'output',
  outDir: 'output',
  savePath: 'output',
  runDir: 'output',
  // data
  trainFile: 'data.train',
  trainData: 'data.train',
  trainDataset: 'data.train',
  datasetName: 'data.train',
  dataPath: 'data.train',
  trainPath: 'data.train',
  datasets: 'data.train',
  val: 'data.validation',
  eval: 'data.validation',
  valid: 'data.validation',
  dev: 'data.validation',
  evalData: 'data.validation',
  valData: 'data.validation',
  evalDataset: 'data.validation',
  valDataset: 'data.validation',
  validationFile: 'data.validation',
  imageDir: 'data.images',
  imageFolder: 'data.images',
  imageRoot: 'data.images',
  imagesDir: 'data.images',
  mediaDir: 'data.images',
  systemPrompt: 'data.system',
  systemMessage: 'data.system',
  defaultSystem: 'data.system',
  maxSeqLength: lengths,
  maxSeqLen: lengths,
  sequenceLen: lengths,
  modelMaxLength: lengths,
  cutoffLen: lengths,
  columns: 'data.fields',
  columnMapping: 'data.fields',
  trainOnInputs: labels,
  trainOnPrompt: labels,
  completionOnlyLoss: labels,
  assistantOnlyLoss: labels,
  maskPrompt: labels,
  // image
  imageMaxPixels: 'image.maxPixels',
  imageMinPixels: 'image.minPixels',
  imageSize: 'use image.maxPixels: width x height, for instance 200704 for 448 x 448',
  imageResolution: 'use image.maxPixels: width x height, for instance 200704 for 448 x 448',
  resolution: 'use image.maxPixels: width x height, for instance 200704 for 448 x 448',
  // lora
  r: 'lora.rank',
  loraR: 'lora.rank',
  loraRank: 'lora.rank',
  loraAlpha: 'lora.alpha',
  loraDropout: 'lora.dropout',
  loraTarget: 'lora.targetModules',
  loraTargetModules: 'lora.targetModules',
  targets: 'lora.targetModules',
  useRslora: 'lora.rslora',
  peft: 'lora',
  peftConfig: 'lora',
  loraConfig: 'lora',
  useLora: 'use a `lora` section, or none: LoRA is the default',
  useDora: 'leave it out: DoRA is not supported',
  bias: 'leave it out: LoRA trains no biases',
  modulesToSave: 'use `full: { parameters: [...] }` to train parameters whole, without LoRA',
  finetuningType: 'use a `lora` or a `full` section',
  method: 'use a `lora` or a `full` section',
  loadIn4bit: 'leave it out: base weights are used as they are stored (f32, f16 or bf16)',
  loadIn8bit: 'leave it out: base weights are used as they are stored (f32, f16 or bf16)',
  quantization: 'leave it out: base weights are used as they are stored (f32, f16 or bf16)',
  // train
  numTrainEpochs: 'train.epochs',
  numEpochs: 'train.epochs',
  nEpochs: 'train.epochs',
  epoch: 'train.epochs',
  numTrainSteps: 'train.maxSteps',
  maxTrainSteps: 'train.maxSteps',
  totalSteps: 'train.maxSteps',
  steps: 'train.maxSteps',
  iters: 'train.maxSteps',
  lr: 'train.learningRate',
  learnRate: 'train.learningRate',
  peakLr: 'train.learningRate',
  wd: 'train.weightDecay',
  decay: 'train.weightDecay',
  lrScheduler: 'train.schedule',
  lrSchedulerType: 'train.schedule',
  scheduler: 'train.schedule',
  lrSchedule: 'train.schedule',
  warmup: 'train.warmupSteps',
  numWarmupSteps: 'train.warmupSteps',
  lrWarmupSteps: 'train.warmupSteps',
  gradientAccumulationSteps: rows,
  gradAccumSteps: rows,
  accumulateGradBatches: rows,
  batchSize: rows,
  perDeviceTrainBatchSize: rows,
  perDeviceBatchSize: rows,
  trainBatchSize: rows,
  globalBatchSize: rows,
  totalBatchSize: rows,
  microBatchSize: memory,
  perDeviceEvalBatchSize: memory,
  evalBatchSize: memory,
  packTokens: 'pack.maxTokens',
  packing: memory,
  samplePacking: memory,
  gradClip: 'train.maxGradNorm',
  gradientClipping: 'train.maxGradNorm',
  gradientClipVal: 'train.maxGradNorm',
  clipGradNorm: 'train.maxGradNorm',
  maxNorm: 'train.maxGradNorm',
  terminateOnNan: 'train.onNotFinite',
  loggingNanInfFilter: 'train.onNotFinite',
  skipNan: 'train.onNotFinite',
  randomSeed: 'train.seed',
  dataSeed: 'train.seed',
  evalSteps: 'train.evaluateEvery',
  evalEvery: 'train.evaluateEvery',
  stepsPerEval: 'train.evaluateEvery',
  evalInterval: 'train.evaluateEvery',
  valCheckInterval: 'train.evaluateEvery',
  evalStrategy: 'use train.evaluateEvery: steps between evaluations, 0 for the end alone',
  evaluationStrategy: 'use train.evaluateEvery: steps between evaluations, 0 for the end alone',
  earlyStoppingPatience: 'train.patience',
  earlyStoppingSteps: 'train.patience',
  earlyStopping: 'use train.patience: evaluations in a row without a better train.bestBy that end the run',
  earlyStoppingThreshold: 'leave it out: every improvement counts for train.patience',
  minDelta: 'leave it out: every improvement counts for train.patience',
  metricForBestModel: 'train.bestBy',
  monitor: 'train.bestBy',
  greaterIsBetter: direction,
  predictWithGenerate: 'use train.evaluateAnswers: how many validation rows are answered at every evaluation',
  generateDuringEval: 'use train.evaluateAnswers: how many validation rows are answered at every evaluation',
  generationMaxLength: answerLength,
  generationMaxNewTokens: answerLength,
  generationNumBeams: 'leave it out: answers in evaluations are the likeliest token at every place',
  gradientCheckpointing: 'train.recompute',
  gradCheckpoint: 'train.recompute',
  useGradientCheckpointing: 'train.recompute',
  activationCheckpointing: 'train.recompute',
  numThreads: 'train.threads',
  nThreads: 'train.threads',
  numWorkers: 'leave it out: pictures are decoded ahead of the trainer by itself',
  dataloaderNumWorkers: 'leave it out: pictures are decoded ahead of the trainer by itself',
  cacheLatents: pictures,
  cacheLatentsToDisk: pictures,
  cacheImages: pictures,
  cacheImageFeatures: pictures,
  precomputeLatents: pictures,
  precomputeImageFeatures: pictures,
  precomputedImageFeatures: pictures,
  cacheDir:
    'use cache.folder for what the vision tower makes of pictures; where pulled models lie is for HF_HOME to say',
  freezeVision: tower,
  freezeVisionTower: tower,
  freezeVisionModule: tower,
  freezeVit: tower,
  tuneMmVision: tower,
  tuneMmMlp: tower,
  training: 'train',
  trainer: 'train',
  trainingArguments: 'train',
  dataset: 'data',
  processor: 'image',
  optim: adamw,
  optimizer: adamw,
  adamBeta1: adamw,
  adamBeta2: adamw,
  adamEpsilon: adamw,
  betas: adamw,
  fp16: arithmetic,
  bf16: arithmetic,
  tf32: arithmetic,
  precision: arithmetic,
  mixedPrecision: arithmetic,
  dtype: arithmetic,
  torchDtype: arithmetic,
  saveSteps: 'train.saveEvery',
  saveInterval: 'train.saveEvery',
  saveFreq: 'train.saveEvery',
  checkpointEvery: 'train.saveEvery',
  checkpointInterval: 'train.saveEvery',
  checkpointingSteps: 'train.saveEvery',
  stepsPerCheckpoint: 'train.saveEvery',
  saveStrategy: 'use train.saveEvery: steps between checkpoints; without it one is kept every ten minutes',
  saveTotalLimit: 'train.keep',
  keepCheckpoints: 'train.keep',
  keepLastNCheckpoints: 'train.keep',
  maxCheckpoints: 'train.keep',
  resume: resuming,
  resumeFrom: resuming,
  resumeFromCheckpoint: resuming,
  autoResume: resuming,
  loadBestModelAtEnd: best,
  overwriteOutputDir: 'leave it out and say --overwrite on the command line',
  loggingSteps: 'leave it out: every step is logged in output/metrics.jsonl',
  reportTo: 'leave it out: figures are written to output/metrics.jsonl',
  pushToHub: later,
  deepspeed: later,
  fsdp: later,
  groupByLength: later,
  // memory
  maxMemory: budget,
  memoryLimit: budget,
  gpuMemoryUtilization: budget,
  memoryFraction: budget,
  autoFindBatchSize: budget,
  lowVram: budget,
  cpuOffload: budget,
  offload: budget,
};

const habitOf = new Map(Object.entries(habits).map(([key, meaning]) => [plain(key), meaning]));

/** What was meant by an unknown `key` of `section` ('' is the file itself), as a sentence. */
export function meaningOf(key: string, section: string): string {
  const spelled = plain(key);
  // First: elsewhere `precision` is that of all arithmetic, whatever word of ours ends so.
  const habit = habitOf.get(spelled);
  if (habit) return sentence(/^[a-z]+(\.[a-zA-Z]+)?$/.test(habit) ? `use ${habit}` : habit);
  const sameSpelling = ofOurs((leaf) => plain(leaf) === spelled, section);
  if (sameSpelling) return useWord(sameSpelling, key, section);
  const allowed = Math.max(1, Math.floor(spelled.length / 3));
  const near = ofOurs((leaf) => distance(plain(leaf), spelled) <= allowed, section, spelled);
  if (near) return useWord(near, key, section);
  return `${section === '' ? 'The file' : section} knows: ${wordsOf(section).join(', ')}.`;
}

/** A word of ours whose last part passes, one of the same section first, the nearest in spelling first. */
function ofOurs(passes: (leaf: string) => boolean, section: string, spelled = ''): string | undefined {
  const rank = (name: string) =>
    (sectionOf(name) === section ? 0 : 100) + distance(plain(leafOf(name)), spelled);
  return words
    .map((word) => word.name)
    .filter((name) => passes(leafOf(name)))
    .sort((a, b) => rank(a) - rank(b))[0];
}

function leafOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function sectionOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

function useWord(name: string, key: string, section: string): string {
  if (leafOf(name) !== key) return `Use ${name}.`;
  const home = sectionOf(name);
  const place = home === '' ? 'at the top of the file' : `under ${home}`;
  return section === home ? `Use ${name}.` : `It stands ${place}: ${name}.`;
}

function sentence(words: string): string {
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from a to b (optimal string alignment). */
export function distance(a: string, b: string): number {
  // Longer than any word of ours: not worth comparing.
  if (a.length > 64 || b.length > 64) return Math.max(a.length, b.length);
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
