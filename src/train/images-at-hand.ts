/** Pictures of rows that are on their way: each is decoded once, however many of the rows show it. */
import type { Grid } from '../data/example.ts';
import type { FindEmbedding } from './encoder.ts';
import type { KnownImages } from './load-unknown.ts';
import type { Sample, SampleImage } from './step.ts';

export class ImagesAtHand {
  readonly #find?: FindEmbedding;
  readonly #coming = new Map<string, Promise<SampleImage | undefined>>();
  /** Kept alive by the samples that hold them, and no longer. */
  readonly #held = new Map<string, WeakRef<SampleImage>>();

  constructor(find?: FindEmbedding) {
    this.#find = find;
  }

  /**
   * A row by what its pictures hold, as the survey saw them. `load` is told which of them it need not look at; those are then
   * the same objects in all samples that show them.
   */
  load(
    contents: readonly string[],
    grids: ReadonlyMap<string, Grid>,
    load: (known: KnownImages) => Promise<Sample>,
  ): Promise<Sample> {
    const here = contents.map((content) => this.#here(content, grids.get(content)));
    const loading = loadOthers(here, load);
    contents.forEach((content, place) => {
      if (here[place] === undefined)
        this.#expect(
          content,
          loading.then(({ images }) => images[place]),
        );
    });
    return loading;
  }

  /** At once, so that no other row asks for the same picture in between. */
  #here(content: string, grid: Grid | undefined): SampleImage | Promise<SampleImage | undefined> | undefined {
    // Without a grid the check found the row bad, which an interrupted run had not.
    const embedding = grid && this.#find?.({ content, grid });
    if (embedding) return { content, grid, embedding };
    const held = this.#held.get(content)?.deref();
    // One that was embedded is the cache's to keep or to let go.
    return held?.patches ? held : this.#coming.get(content);
  }

  #expect(content: string, image: Promise<SampleImage>): void {
    const coming = image.then(
      (found) => {
        this.#held.set(content, new WeakRef(found));
        return found;
      },
      () => undefined, // whoever waits for it looks at the picture itself
    );
    this.#coming.set(content, coming);
    coming.then(() => this.#coming.delete(content));
  }
}

async function loadOthers(
  here: readonly (SampleImage | Promise<SampleImage | undefined> | undefined)[],
  load: (known: KnownImages) => Promise<Sample>,
): Promise<Sample> {
  const known = await Promise.all(here);
  const { images, ...sample } = await load(
    known.map((image) => image && { content: image.content, grid: image.grid }),
  );
  return { ...sample, images: images.map((image, place) => known[place] ?? image) };
}
