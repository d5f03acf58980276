/** Runs of the compiled graphs: samples in, per-token losses and gradients out. Sessions open at their first use. */
import type { Graph } from '../graph/ir.ts';
import {
  blankImage,
  dropoutFeeds,
  type Feeds,
  labelRows,
  textFeeds,
  visionFeeds,
} from '../models/qwen2-vl/feeds.ts';
import {
  gradientName,
  isVision,
  type ModelDefinition,
  outputNames,
  scoringGraph,
  trainingGraph,
  trainsVision,
  visionGraph,
} from '../models/qwen2-vl/forward.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import type { SessionOptions, TensorData } from '../runtime/session.ts';
import { embeddingFeed, embedImage } from './embed-images.ts';
import type { CompiledStep, Gradients, Sample, SampleLoss, StepAddress, Trainable } from './step.ts';

export function compileSteps(
  model: ModelDefinition,
  trainables: Trainable[],
  options: SessionOptions,
): CompiledStep {
  return new SessionStep(model, trainables, options);
}

class SessionStep implements CompiledStep {
  readonly trainables: Trainable[];
  readonly #model: ModelDefinition;
  readonly #inlineVision: boolean;
  readonly #graphs: Record<'training' | 'scoring' | 'vision', LazySession>;

  constructor(model: ModelDefinition, trainables: Trainable[], options: SessionOptions) {
    this.trainables = trainables;
    this.#model = model;
    this.#inlineVision = trainsVision(model);
    const lazy = (build: (model: ModelDefinition) => Graph) => new LazySession(() => build(model), options);
    this.#graphs = {
      training: lazy(trainingGraph),
      scoring: lazy(scoringGraph),
      vision: lazy(visionGraph),
    };
  }

  async evaluate(samples: Sample[]): Promise<SampleLoss[]> {
    const feeds = await this.#feeds(samples);
    const { rows, labels, counts } = labelRows(samples.map(({ encoded }) => encoded));
    const outputs = await this.#graphs.scoring.run(
      { ...feeds, ...vectors({ rows, labels }) },
      this.trainables,
    );
    return splitLosses(outputs, counts);
  }

  async gradients(samples: Sample[], address: StepAddress): Promise<Gradients> {
    const encoded = samples.map((sample) => sample.encoded);
    const feeds = await this.#feeds(samples);
    const { rows, labels, counts } = labelRows(encoded);
    const outputs = await this.#graphs.training.run(
      { ...feeds, ...vectors({ rows, labels }), ...dropoutFeeds(encoded, this.#model, address) },
      this.trainables,
    );
    const noImages = samples.every(({ patches }) => patches.length === 0);
    const gradients = this.trainables.flatMap(({ name }) => {
      const gradient = outputs[gradientName(name)] as Float32Array | undefined;
      return gradient && !(noImages && isVision(name)) ? [[name, gradient] as const] : [];
    });
    return { samples: splitLosses(outputs, counts), gradients: new Map(gradients) };
  }

  async close(): Promise<void> {
    for (const session of Object.values(this.#graphs)) await session.close();
  }

  async #feeds(samples: Sample[]): Promise<Feeds> {
    const { config } = this.#model;
    const encoded = samples.map((sample) => sample.encoded);
    const images = samples.flatMap((sample) =>
      sample.patches.map((patches, i) => ({ patches, grid: sample.encoded.grids[i] })),
    );
    const feeds = textFeeds(encoded, config);
    if (this.#inlineVision)
      return {
        ...feeds,
        ...visionFeeds(images.length > 0 ? images : [blankImage(config)], config, { mask: true }),
      };
    const embeddings: Float32Array[] = [];
    for (const image of images) embeddings.push(await embedImage(this.#graphs.vision, image, config));
    return { ...feeds, ...embeddingFeed(embeddings, config) };
  }
}

const vectors = (named: Record<string, Int32Array>): Feeds =>
  Object.fromEntries(Object.entries(named).map(([name, data]) => [name, { data, dims: [data.length] }]));

/** Loss = log sum exp - the label's logit; a hit where no logit is larger than the label's. */
function splitLosses(outputs: Record<string, TensorData>, counts: readonly number[]): SampleLoss[] {
  const [logSumExp, label, largest] = [outputNames.logSumExp, outputNames.label, outputNames.largest].map(
    (name) => outputs[name],
  );
  let start = 0;
  return counts.map((count) => {
    const at = (i: number) => start + i;
    const losses = Float32Array.from({ length: count }, (_, i) => logSumExp[at(i)] - label[at(i)]);
    const hits = Uint8Array.from({ length: count }, (_, i) => Number(label[at(i)] >= largest[at(i)]));
    const top = Float32Array.from({ length: count }, (_, i) => Math.exp(largest[at(i)] - logSumExp[at(i)]));
    start += count;
    return { losses, hits, top };
  });
}
