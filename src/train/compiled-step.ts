/** Runs of the compiled graphs: samples in, per-token losses and gradients out. Sessions open at their first use. */
import { firstOf, type Layout, layOut } from '../data/pack.ts';
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
  inspectionGraph,
  isVision,
  type ModelDefinition,
  outputNames,
  scoringGraph,
  trainingGraph,
  trainsVision,
} from '../models/qwen2-vl/forward.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import type { SessionOptions, TensorData } from '../runtime/session.ts';
import { embeddingFeed, withPatches } from './embed-images.ts';
import type { ImageEmbedder } from './image-embedder.ts';
import { likeliest } from './likeliest.ts';
import type {
  CompiledStep,
  Gradients,
  Sample,
  SampleLoss,
  StepAddress,
  TokenLoss,
  Trainable,
} from './step.ts';
import { plainCache } from './vision-cache.ts';

/** A compiled model that can also say what any token of a text costs it. */
export interface CompiledModelStep extends CompiledStep {
  /** Loss and likeliest tokens at positions of the text, each predicted from the one before it; none is 0. */
  explain(sample: Sample, positions: readonly number[]): Promise<TokenLoss[]>;
  /** Losses alone, at as many positions as one likes. */
  lossesAt(sample: Sample, positions: readonly number[]): Promise<Float32Array>;
}

/** Rows whose logits are held at once: 78 MB at V = 151,936. */
const rowsWithLogits = 128;

/** Likeliest tokens that are told. */
const shownTokens = 5;

/** @param embedder what embeds pictures where the vision tower is not trained; a trained one stands in the step itself. */
export function compileSteps(
  model: ModelDefinition,
  trainables: Trainable[],
  options: SessionOptions,
  embedder = trainsVision(model) ? undefined : plainCache(model, options).embedder,
): CompiledModelStep {
  return new SessionStep(model, trainables, options, embedder);
}

class SessionStep implements CompiledModelStep {
  readonly trainables: Trainable[];
  readonly #model: ModelDefinition;
  readonly #embedder?: ImageEmbedder;
  readonly #graphs: Record<'training' | 'scoring' | 'inspection', LazySession>;

  constructor(
    model: ModelDefinition,
    trainables: Trainable[],
    options: SessionOptions,
    embedder: ImageEmbedder | undefined,
  ) {
    this.trainables = trainables;
    this.#model = model;
    this.#embedder = embedder;
    const lazy = (build: (model: ModelDefinition) => Graph) => new LazySession(() => build(model), options);
    this.#graphs = {
      training: lazy(trainingGraph),
      scoring: lazy(scoringGraph),
      inspection: lazy(inspectionGraph),
    };
  }

  async evaluate(samples: Sample[]): Promise<SampleLoss[]> {
    const layout = layOut(samples);
    const feeds = await this.#feeds(layout);
    const { rows, labels, counts } = labelRows(layout);
    const outputs = await this.#graphs.scoring.run(
      { ...feeds, ...vectors({ rows, labels }) },
      this.trainables,
    );
    return splitLosses(outputs, counts);
  }

  async gradients(samples: Sample[], address: StepAddress): Promise<Gradients> {
    const layout = layOut(samples);
    const feeds = await this.#feeds(layout);
    const { rows, labels, counts } = labelRows(layout);
    const outputs = await this.#graphs.training.run(
      { ...feeds, ...vectors({ rows, labels }), ...dropoutFeeds(layout, this.#model, address) },
      this.trainables,
    );
    const noImages = samples.every(({ images }) => images.length === 0);
    const gradients = this.trainables.flatMap(({ name }) => {
      const gradient = outputs[gradientName(name)] as Float32Array | undefined;
      return gradient && !(noImages && isVision(name)) ? [[name, gradient] as const] : [];
    });
    return { samples: splitLosses(outputs, counts), gradients: new Map(gradients) };
  }

  async explain(sample: Sample, positions: readonly number[]): Promise<TokenLoss[]> {
    const feeds = await this.#feeds(layOut([sample]));
    const explained: TokenLoss[] = [];
    for (let start = 0; start < positions.length; start += rowsWithLogits) {
      const part = positions.slice(start, start + rowsWithLogits);
      explained.push(...splitTokens(await this.#predict('inspection', feeds, sample, part), part.length));
    }
    return explained;
  }

  async lossesAt(sample: Sample, positions: readonly number[]): Promise<Float32Array> {
    if (positions.length === 0) return new Float32Array(0);
    const outputs = await this.#predict('scoring', await this.#feeds(layOut([sample])), sample, positions);
    return splitLosses(outputs, [positions.length])[0].losses;
  }

  #predict(graph: 'scoring' | 'inspection', feeds: Feeds, { encoded }: Sample, positions: readonly number[]) {
    const rows = Int32Array.from(positions, (t) => t - 1);
    const labels = Int32Array.from(positions, (t) => encoded.ids[t]);
    return this.#graphs[graph].run({ ...feeds, ...vectors({ rows, labels }) }, this.trainables);
  }

  async close(): Promise<void> {
    for (const session of Object.values(this.#graphs)) await session.close();
    await this.#embedder?.close();
  }

  async #feeds(layout: Layout<Sample>): Promise<Feeds> {
    const { config } = this.#model;
    const images = layout.packs.flatMap((pack) => firstOf(layout, pack).images);
    const feeds = textFeeds(layout, config);
    if (this.#embedder) return { ...feeds, ...embeddingFeed(await this.#embedder.embed(images), config) };
    const seen = images.length > 0 ? images.map(withPatches) : [blankImage(config)];
    return { ...feeds, ...visionFeeds(seen, config, { mask: true }) };
  }
}

const vectors = (named: Record<string, Int32Array>): Feeds =>
  Object.fromEntries(Object.entries(named).map(([name, data]) => [name, { data, dims: [data.length] }]));

function splitTokens(outputs: Record<string, TensorData>, count: number): TokenLoss[] {
  const logSumExp = outputs[outputNames.logSumExp];
  const logits = outputs[outputNames.logits] as Float32Array;
  const { losses } = splitLosses(outputs, [count])[0];
  const words = logits.length / count;
  return Array.from(losses, (loss, n) => {
    const row = logits.subarray(n * words, (n + 1) * words);
    const top = likeliest(row, shownTokens).map((id) => ({
      id,
      probability: Math.exp(row[id] - logSumExp[n]),
    }));
    return { loss, top };
  });
}

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
