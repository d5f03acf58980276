/**
 * What a run will hold in memory of its own, from the model's graphs and the sizes of what runs through them. Mapped
 * weights are not among it: the system keeps them in its cache of files and may drop them.
 */
import type { Graph } from '../graph/ir.ts';
import type { Lengths } from '../graph/shape.ts';
import { type Work, workOf } from '../graph/work.ts';
import { scoringGraph, trainingGraph, visionGraph } from '../models/qwen2-vl/forward.ts';
import { type GraphMemory, graphMemory } from '../runtime/graph-memory.ts';
import { type BatchSize, tellingRuns } from './batch-sizes.ts';
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
  /** The same of the vision tower that stands alone; 0 where it is trained inside the training graph. */
  vision: number;
  /** Pictures on their way: decoded ahead, and as they are fed. */
  pictures: number;
  total: number;
}

/** How a run is cut, as far as its memory goes. */
export interface RunCut {
  recompute: boolean;
  /** Rows run together up to this many tokens. */
  maxTokens: number;
}

/** One graph run, and the image tokens of each picture that the tower makes for it. */
export interface GraphRun {
  size: BatchSize;
  pictures: number[];
}

/** What will run, by size. */
export interface RunSizes {
  training(maxTokens: number): Iterable<GraphRun>;
  /** One evaluation; nothing where nothing is scored. */
  evaluation(maxTokens: number): Iterable<GraphRun>;
  /** Each training row alone. */
  rows: readonly BatchSize[];
  /** Image tokens of each different picture. */
  pictures: readonly number[];
  /** Pixel bytes that wait decoded at most. */
  pixelBytesAhead: number;
}

/** Measured, in MB: docs/LOG.md. */
const MB = 2 ** 20;
const processBytes = 130 * MB;
const sessionBytes = 8 * MB;
const nodeBytes = 7 * 1024;
/** What kernels take beside the arena, by thread and by call. */
const kernelBytes = 12 * MB;
/** Over many sizes an arena is cut up more than over a few. */
const cutUp = 1.05;
/** Copies of what a run returns that JavaScript has not let go of yet. */
const returnedCopies = 4;
/** Copies of what a run is fed, for the same reason. */
const fedCopies = 3;

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

  need({ recompute, maxTokens }: RunCut): MemoryNeed {
    const key = `${recompute} ${maxTokens}`;
    const need =
      this.#needs.get(key) ??
      this.#sum(
        recompute,
        tellingRuns(sizesOf(this.sizes.training(maxTokens))),
        tellingRuns(sizesOf(this.sizes.evaluation(maxTokens))),
      );
    this.#needs.set(key, need);
    return need;
  }

  /** The same of a run that holds this one row. */
  needOfRow(size: BatchSize, recompute: boolean): MemoryNeed {
    return this.#sum(recompute, [size, size], []);
  }

  graph(kind: 'training' | 'scoring' | 'vision', recompute = false): ModelGraph {
    const key = `${kind} ${recompute}`;
    const known = this.#graphs.get(key) ?? this.#build(kind, recompute);
    this.#graphs.set(key, known);
    return known;
  }

  #build(kind: 'training' | 'scoring' | 'vision', recompute: boolean): ModelGraph {
    const definition = { ...this.model.definition, recompute };
    const builders = { training: trainingGraph, scoring: scoringGraph, vision: visionGraph };
    const graph: Graph = builders[kind](definition);
    return { memory: graphMemory(graph, 'cpu'), work: workOf(graph) };
  }

  #sum(recompute: boolean, training: readonly BatchSize[], evaluation: readonly BatchSize[]): MemoryNeed {
    const { trainedNumbers: trained, trainsVision } = this.model;
    const { memory } = this.graph('training', recompute);
    const pictures = trainsVision ? [] : this.#pictureRuns();
    const graphs = [memory];
    if (evaluation.length > 0) graphs.push(this.graph('scoring').memory);
    if (pictures.length > 0) graphs.push(this.graph('vision').memory);
    const last = training.length > 0 ? memory.ofRun(training[training.length - 1]) : undefined;
    const parts = {
      process: processBytes + graphs.reduce((sum, { nodes }) => sum + sessionBytes + nodes * nodeBytes, 0),
      trained: 4 * trained,
      optimizer: 12 * trained,
      gradients: returnedCopies * (last?.outputs ?? 0),
      activations: held(memory, training),
      evaluation: evaluation.length > 0 ? held(this.graph('scoring').memory, evaluation) : 0,
      vision: pictures.length > 0 ? held(this.graph('vision').memory, pictures) : 0,
      pictures: this.sizes.pixelBytesAhead + fedCopies * Math.max(0, (last?.fed ?? 0) - 4 * trained),
    };
    return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** The tower runs over one picture after the other. */
  #pictureRuns(): Lengths[] {
    const different = [...new Set(this.sizes.pictures)].sort((a, b) => a - b);
    // A few sizes between the smallest and the largest cut the arena up as all of them do.
    const step = Math.max(1, Math.ceil(different.length / 4));
    const runs = different.filter((_, i) => (different.length - 1 - i) % step === 0).map((M) => ({ M }));
    return runs.length > 0 ? [...runs, runs[runs.length - 1]] : [];
  }
}

function* sizesOf(runs: Iterable<GraphRun>): Generator<BatchSize> {
  for (const { size } of runs) yield size;
}

function held(memory: GraphMemory, runs: readonly Lengths[]): number {
  return runs.length === 0 ? 0 : Math.round(cutUp * memory.arenaAfter(runs)) + kernelBytes;
}
