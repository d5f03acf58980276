/** Pictures through a frozen vision tower: each once, those of a kind together, and what is known not at all. */
import type { CacheFacts, MatrixCache } from '../cache/matrix-cache.ts';
import type { Grid } from '../data/example.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { alikeVisionFeeds, patchCount } from '../models/qwen2-vl/feeds.ts';
import { imageEmbeddings, type ModelDefinition, visionGraph } from '../models/qwen2-vl/forward.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { withPatches } from './embed-images.ts';
import type { FindEmbedding } from './encoder.ts';
import type { SampleImage } from './step.ts';

/** Up to this many patches in all, pictures of one grid run together: below it a run waits for its weights. */
const patchesTogether = 256;

/** The runs that exist: places for pictures of one grid. */
export const placeCounts = [16, 4, 1];

/**
 * How many places a run has for pictures of a grid. Always as many: places that nobody needs are left blank. So every
 * picture goes through products of the same lengths whatever runs beside it, and its numbers are the same to the last bit.
 */
export function placesFor(grid: Grid): number {
  return placesForPatches(patchCount(grid));
}

/** The same for pictures of so many patches. */
export function placesForPatches(patches: number): number {
  return placeCounts.find((places) => places * patches <= patchesTogether) ?? 1;
}

export class ImageEmbedder {
  readonly #config: Qwen2VLConfig;
  readonly #cache: MatrixCache;
  readonly #notices: string[];
  readonly #towers = new Map<number, LazySession>();
  readonly #open: (places: number) => LazySession;
  #seconds = 0;
  #patches = 0;

  /**
   * @param model whose vision tower is not trained.
   * @param notices what the cache tells: it grows on the way.
   */
  constructor(model: ModelDefinition, options: SessionOptions, cache: MatrixCache, notices: string[] = []) {
    this.#config = model.config;
    this.#notices = notices;
    this.#cache = cache;
    this.#open = (places) => new LazySession(() => visionGraph(model, { alike: places }), options);
  }

  get facts(): CacheFacts {
    return this.#cache.facts;
  }

  /** What a person should know, since the last call. */
  takeNotices(): string[] {
    return this.#notices.splice(0);
  }

  /** In the tower so far. */
  get seconds(): number {
    return this.#seconds;
  }

  /** That went through the tower, blank ones left out. */
  get patches(): number {
    return this.#patches;
  }

  /** Bytes of the embeddings of so many patches, as they are kept. */
  bytesOf(patches: number): number {
    return this.#cache.bytesOf(patches / this.#config.vision.spatialMergeSize ** 2);
  }

  /** Whether a picture seems to be known. */
  knows(image: Pick<SampleImage, 'content' | 'grid'>): boolean {
    return this.#cache.has(nameOf(image));
  }

  /** [m, D], where it is known. */
  readonly find: FindEmbedding = (image) => this.#cache.find(nameOf(image), this.#tokens(image.grid));

  /**
   * Gives the images their embeddings, in place of their patches. Places of a run that they leave empty go to those of
   * `ahead`, which are needed soon; of those the others are left as they are.
   */
  async embed(images: readonly SampleImage[], ahead: readonly SampleImage[] = []): Promise<Float32Array[]> {
    const needed = this.#unknown(images);
    const soon = this.#unknown(ahead.filter(({ grid }) => placesFor(grid) > 1));
    for (const name of needed.keys()) soon.delete(name);
    for (const [first] of needed.values()) {
      if (first.embedding) continue; // it came along with one of the same grid
      const alike = (group: SampleImage[]) => group[0].grid.every((side, axis) => side === first.grid[axis]);
      const waiting = (groups: Iterable<SampleImage[]>) =>
        [...groups].filter((group) => !group[0].embedding && alike(group));
      const groups = [...waiting(needed.values()), ...waiting(soon.values())].slice(0, placesFor(first.grid));
      const embeddings = await this.#run(groups.map(([image]) => image));
      groups.forEach((group, i) => {
        for (const image of group) settle(image, embeddings[i]);
      });
    }
    return images.map(({ embedding }) => embedding!);
  }

  async close(): Promise<void> {
    for (const tower of this.#towers.values()) await tower.close();
    this.#towers.clear();
  }

  /** Those that have to be computed, the same ones together; the others get what is known of them. */
  #unknown(images: readonly SampleImage[]): Map<string, SampleImage[]> {
    const unknown = new Map<string, SampleImage[]>();
    for (const image of images) {
      if (image.embedding) continue;
      const name = nameOf(image);
      const group = unknown.get(name);
      const known = group ? undefined : this.find(image);
      if (known) settle(image, known);
      else if (group) group.push(image);
      else unknown.set(name, [image]);
    }
    return unknown;
  }

  /** One run for pictures of one grid. */
  async #run(images: readonly SampleImage[]): Promise<Float32Array[]> {
    const begun = performance.now();
    const [{ grid }] = images;
    const places = placesFor(grid);
    const tower = this.#towers.get(places) ?? this.#open(places);
    this.#towers.set(places, tower);
    const outputs = await tower.run(
      alikeVisionFeeds(
        images.map((image) => withPatches(image).patches),
        grid,
        places,
        this.#config,
      ),
      [],
    );
    const rows = outputs[imageEmbeddings] as Float32Array<ArrayBuffer>;
    const length = rows.length / places;
    const embeddings = images.map((image, i) =>
      // A slice of its own: what is kept would otherwise hold the whole run.
      this.#cache.keep(nameOf(image), places === 1 ? rows : rows.slice(i * length, (i + 1) * length)),
    );
    this.#seconds += (performance.now() - begun) / 1000;
    this.#patches += images.length * patchCount(grid);
    return embeddings;
  }

  #tokens(grid: Grid): number {
    return patchCount(grid) / this.#config.vision.spatialMergeSize ** 2;
  }
}

/** On a shelf, where all else that decides an embedding is the same. */
function nameOf({ content, grid: [, rows, columns] }: Pick<SampleImage, 'content' | 'grid'>): string {
  return `${Buffer.from(content, 'base64').toString('hex')}-${rows}x${columns}`;
}

/** The patches are let go: they are larger, and nobody needs them any more. */
function settle(image: SampleImage, embedding: Float32Array): void {
  image.embedding = embedding;
  image.patches = undefined;
}
