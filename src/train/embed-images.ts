import { LorikeetError } from '../errors.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { type Feeds, visionFeeds } from '../models/qwen2-vl/feeds.ts';
import { imageEmbeddings } from '../models/qwen2-vl/forward.ts';
import type { FedWeight, LazySession } from '../runtime/lazy-session.ts';
import type { SampleImage } from './step.ts';

/** [m, D] one picture through a tower that an adapter changes, so that nothing of it can be kept. */
export async function embedImage(
  tower: LazySession,
  image: SampleImage,
  config: Qwen2VLConfig,
  weights: readonly FedWeight[],
): Promise<Float32Array> {
  const outputs = await tower.run(visionFeeds([withPatches(image)], config, { mask: false }), weights);
  return outputs[imageEmbeddings] as Float32Array;
}

/** A picture as the tower reads it. */
export function withPatches(image: SampleImage): SampleImage & { patches: Float32Array } {
  const { patches } = image;
  if (patches) return { ...image, patches };
  throw new LorikeetError('graph', {
    what: `picture ${image.content} expected its patches, got none`,
    fix: 'This is a bug; please report it.',
  });
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
