/** Runs work that holds pixels in memory; what goes beyond the budget waits for its turn. */
export type PixelBudget = <T>(pixels: number, work: () => Promise<T>) => Promise<T>;

/** First come, first served. A single piece of work may be as large as it likes: whoever asks has bounded it. */
export function pixelBudget(most: number): PixelBudget {
  const waiting: { pixels: number; start: () => void }[] = [];
  let held = 0;
  const admit = () => {
    while (waiting.length > 0 && (held === 0 || held + waiting[0].pixels <= most)) {
      const { pixels, start } = waiting.shift()!;
      held += pixels;
      start();
    }
  };
  return async (pixels, work) => {
    await new Promise<void>((start) => {
      waiting.push({ pixels, start });
      admit();
    });
    try {
      return await work();
    } finally {
      held -= pixels;
      admit();
    }
  };
}
