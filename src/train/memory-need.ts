/**
 * What a run will hold in memory of its own, from the model's graphs and the sizes of what runs through them. Mapped
 * weights are not among it: the system keeps them in its cache of files and may drop them.
 */
import type { Graph } from '../graph/ir.ts';
import type { Lengths } from '../graph/shape.ts';
import { type Work, workOf } from '../graph/work.ts';
import { cachedGraph, scoringGraph, trainingGraph, visionGraph } from '../models/qwen2-vl/forward.ts';
import { cacheWidth } from '../nn/key-value-cache.ts';
import { type GraphMemory, graphMemory } from '../runtime/graph-memory.ts';
import { type BatchSize, tellingRuns } from './batch-sizes.ts';
import type { Split } from './events.ts';
import { placeCounts, placesForPatches } from './image-embedder.ts';
import type { PlannedModel } from './planned-model.ts';

/** Bytes, by what they are for. */
export interface MemoryNeed {
  /** Node, the engine, tokenizer, the pass over the data, and the compiled graphs. */
  process: number;
  /** Values that are trained. */
  trained: number;
  /** The sum of a step's gradients and AdamW's two moments. */
  optimizer: number;
  /** Gradients on their way from the engine to the sum. */
  gradients: number;
  /** What a training graph holds while it runs. */
  activations: number;
  /** The same of the graph that scores. */
  evaluation: number;
  /** The same of the graph that answers (`train.evaluateAnswers`), with what was read, roughly. */
  answers: number;
  /** The same of a frozen vision tower's graphs; 0 where it is trained inside the training graph. */
  vision: number;
  /** What a frozen tower made of pictures, as far as it is kept in memory. */
  cache: number;
  /** Pictures on their way: decoded ahead, and as they are fed. */
  pictures: number;
  total: number;
}

/** How a run is cut, as far as its memory goes. */
export interface RunCut {
  recompute: boolean;
  /** Rows run together up to this many tokens. */
  maxTokens: number;
  /** Bytes of embedded pictures that are kept in memory at most. */
  cacheMemory: number;
}

/** One graph run, and its pictures by what they hold. */
export interface GraphRun {
  size: BatchSize;
  pictures: string[];
}

/** A row in a graph run of its own. */
export interface RowAlone extends GraphRun {
  split: Split;
  /** Among the rows of its split that are used. */
  index: number;
  /** Bytes of its pixel values. */
  pixelBytes: number;
}

/** What will run, by size. */
export interface RunSizes {
  training(maxTokens: number): Iterable<GraphRun>;
  /** One evaluation; nothing where nothing is scored. */
  evaluation(maxTokens: number): Iterable<GraphRun>;
  /** Each row alone, of both splits. */
  rows: readonly RowAlone[];
  /** The longest row that may be answered; nothing where none is. */
  answered?: BatchSize;
  /** Image tokens of each different picture that the run comes to, by what it holds. */
  pictures: ReadonlyMap<string, number>;
  /** Bytes of an image token as its embedding is kept. */
  keptTokenBytes: number;
  /** Pixel bytes that wait decoded at most. */
  pixelBytesAhead: number;
}

/** Measured, in MB: docs/LOG.md. */
const MB = 2 ** 20;
const processBytes = 100 * MB;
const sessionBytes = 12 * MB;
const nodeBytes = 4 * 1024;
/** What kernels take beside the arena, by thread and by call. */
const kernelBytes = 16 * MB;
/** Over many sizes an arena is cut up more than over a few. */
const cutUp = 1.03;
/** Copies of what a run returns that are in use, and what of older ones JavaScript has not let go of yet, at most. */
const returnedCopies = 2;
const mostGarbage = 64 * MB;
/** Copies of what a run is fed, for the same reason. */
const fedCopies = 3;
/** Texts whose keys and values are held while they are answered. */
const heldTexts = 4;

export interface ModelGraph {
  memory: GraphMemory;
  work: Work;
}

/** Sums up the memory of a model's run; graphs are built once, as they are asked for. */
export class MemoryPlanner {
  readonly model: PlannedModel;
  readonly sizes: RunSizes;
  readonly #graphs: Map<string, ModelGraph>;
  readonly #needs = new Map<string, MemoryNeed>();

  /** @param graphs those of a planner of the same model, which need not be built again. */
  constructor(model: PlannedModel, sizes: RunSizes, graphs?: MemoryPlanner) {
    this.model = model;
    this.sizes = sizes;
    this.#graphs = graphs ? graphs.#graphs : new Map();
  }

  need({ recompute, maxTokens, cacheMemory }: RunCut): MemoryNeed {
    const key = `${recompute} ${maxTokens} ${cacheMemory}`;
    const need =
      this.#needs.get(key) ??
      this.#sum(recompute, cacheMemory, {
        ...this.sizes,
        training: tellingRuns(sizesOf(this.sizes.training(maxTokens))),
        evaluation: tellingRuns(sizesOf(this.sizes.evaluation(maxTokens))),
      });
    this.#needs.set(key, need);
    return need;
  }

  /** The same of a run that holds this one row and its pictures. */
  needOfRow({ split, size, pictures, pixelBytes }: RowAlone, recompute: boolean): MemoryNeed {
    const runs = [size, size];
    return this.#sum(recompute, 0, {
      training: split === 'train' ? runs : [],
      evaluation: split === 'validation' ? runs : [],
      pictures: new Map([...this.sizes.pictures].filter(([content]) => pictures.includes(content))),
      pixelBytesAhead: pixelBytes,
    });
  }

  training = (recompute: boolean): ModelGraph =>
    this.#graph(`training ${recompute}`, () => trainingGraph({ ...this.model.definition, recompute }));

  scoring = (): ModelGraph =>
    this.#graph('scoring', () => scoringGraph({ ...this.model.definition, recompute: false }));

  /** The frozen tower over so many pictures of one size. */
  vision = (alike: number): ModelGraph =>
    this.#graph(`vision ${alike}`, () =>
      visionGraph({ ...this.model.definition, recompute: false }, { alike }),
    );

  /** How many pictures of so many tokens the tower takes at once. */
  places(tokens: number): number {
    return placesForPatches(tokens * this.model.config.vision.spatialMergeSize ** 2);
  }

  /** Bytes of all embedded pictures. */
  get keptBytes(): number {
    let tokens = 0;
    for (const own of this.sizes.pictures.values()) tokens += own;
    return this.model.trainsVision ? 0 : tokens * this.sizes.keptTokenBytes;
  }

  #graph(key: string, build: () => Graph): ModelGraph {
    const known = this.#graphs.get(key) ?? built(build());
    this.#graphs.set(key, known);
    return known;
  }

  #sum(
    recompute: boolean,
    cacheMemory: number,
    { training, evaluation, answered, pictures, pixelBytesAhead }: Summed,
  ): MemoryNeed {
    const { trainedNumbers: trained } = this.model;
    const { memory } = this.training(recompute);
    const scoring = evaluation.length > 0 ? [{ memory: this.scoring().memory, runs: evaluation }] : [];
    const towers = this.#towers(pictures);
    const sessions = [{ memory, runs: training }, ...scoring, ...towers];
    const last = training.length > 0 ? memory.ofRun(training[training.length - 1]) : undefined;
    const returned = last?.outputs ?? 0;
    const parts = {
      process: processBytes + sessions.reduce((sum, session) => sum + openedBytes(session.memory), 0),
      trained: 4 * trained,
      optimizer: 12 * trained,
      gradients: returnedCopies * returned + Math.min(returnedCopies * returned, mostGarbage),
      activations: held(memory, training),
      evaluation: scoring.reduce((sum, { memory, runs }) => sum + held(memory, runs), 0),
      answers: this.#answers(answered),
      vision: towers.reduce((sum, { memory, runs }) => sum + held(memory, runs), 0),
      cache: Math.min(cacheMemory, this.keptBytes),
      pictures: pixelBytesAhead + fedCopies * Math.max(0, (last?.fed ?? 0) - 4 * trained),
    };
    return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** A text is read behind one as long, and a few are held at once. */
  #answers(answered: BatchSize | undefined): number {
    if (!answered) return 0;
    const { T, M } = answered;
    const { memory } = this.#graph('answering', () =>
      cachedGraph({ ...this.model.definition, recompute: false }),
    );
    const { text } = this.model.config;
    const stored = heldTexts * T * 4 * cacheWidth(text.layers, text);
    return openedBytes(memory) + stored + held(memory, [{ T, N: 1, C: T, S: 2 * T, M }]);
  }

  /** Pictures of one size run together, as many as its graph has places for; each graph has a session of its own. */
  #towers(pictures: RunSizes['pictures']): { memory: GraphMemory; runs: Lengths[] }[] {
    if (this.model.trainsVision) return [];
    const different = [...new Set(pictures.values())].sort((a, b) => a - b);
    return placeCounts.flatMap((places) => {
      const own = different.filter((tokens) => this.places(tokens) === places);
      // A few sizes between the smallest and the largest cut the arena up as all of them do.
      const step = Math.max(1, Math.ceil(own.length / 4));
      const runs = own.filter((_, i) => (own.length - 1 - i) % step === 0).map((M) => ({ M }));
      return runs.length > 0
        ? [{ memory: this.vision(places).memory, runs: [...runs, runs[runs.length - 1]] }]
        : [];
    });
  }
}

/** What the memory of a run is summed up of. */
interface Summed extends Pick<RunSizes, 'answered' | 'pictures' | 'pixelBytesAhead'> {
  training: readonly BatchSize[];
  evaluation: readonly BatchSize[];
}

const built = (graph: Graph): ModelGraph => ({ memory: graphMemory(graph, 'cpu'), work: workOf(graph) });

const openedBytes = ({ nodes }: GraphMemory) => sessionBytes + nodes * nodeBytes;

function* sizesOf(runs: Iterable<GraphRun>): Generator<BatchSize> {
  for (const { size } of runs) yield size;
}

function held(memory: GraphMemory, runs: readonly Lengths[]): number {
  return runs.length === 0 ? 0 : Math.round(cutUp * memory.arenaAfter(runs)) + kernelBytes;
}
