import type { Grid } from '../data/example.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { type Feeds, visionFeeds } from '../models/qwen2-vl/feeds.ts';
import { imageEmbeddings } from '../models/qwen2-vl/forward.ts';
import type { FedWeight, LazySession } from '../runtime/lazy-session.ts';

/** One picture as the tower reads it: patches [P, patchLength]. */
export interface ImageInput {
  grid: Grid;
  patches: Float32Array;
}

/** [m, D] one picture through a tower that stands in a graph of its own: none pays for another's attention. */
export async function embedImage(
  tower: LazySession,
  image: ImageInput,
  config: Qwen2VLConfig,
  weights: readonly FedWeight[] = [],
): Promise<Float32Array> {
  const outputs = await tower.run(visionFeeds([image], config, { mask: false }), weights);
  return outputs[imageEmbeddings] as Float32Array;
}

/** The embeddings of a run's pictures, one after the other; a row of zeros that no token reads where it has none. */
export function embeddingFeed(embeddings: readonly Float32Array[], { text }: Qwen2VLConfig): Feeds {
  const width = text.hiddenSize;
  const data = embeddings.length > 0 ? concatenate(embeddings) : new Float32Array(width);
  return { [imageEmbeddings]: { data, dims: [data.length / width, width] } };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
