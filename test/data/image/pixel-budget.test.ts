import { describe, expect, it } from 'vitest';
import { pixelBudget } from '../../../src/data/image/pixel-budget.ts';

describe('a pixel budget', () => {
  /** Work that ends when it is told to. */
  function started(budget: ReturnType<typeof pixelBudget>, order: string[], name: string, pixels: number) {
    let end = (_error?: Error) => {};
    const done = budget(pixels, () => {
      order.push(name);
      return new Promise<void>((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve());
      });
    });
    return { end: (error?: Error) => end(error), done };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('lets in what fits, in the order of asking, and the next when one is done', async () => {
    const order: string[] = [];
    const budget = pixelBudget(10);
    const [a, b, c] = [
      started(budget, order, 'a', 6),
      started(budget, order, 'b', 4),
      started(budget, order, 'c', 1),
    ];
    await turn();
    expect(order).toEqual(['a', 'b']);
    b.end();
    await b.done;
    await turn();
    expect(order).toEqual(['a', 'b', 'c']);
    a.end();
    c.end();
    await Promise.all([a.done, c.done]);
  });

  it('lets in alone what is larger than all of it, and goes on after a failure', async () => {
    const order: string[] = [];
    const budget = pixelBudget(10);
    const [small, large, last] = [
      started(budget, order, 'small', 1),
      started(budget, order, 'large', 50),
      started(budget, order, 'last', 1),
    ];
    await turn();
    expect(order).toEqual(['small']);
    small.end();
    await turn();
    expect(order).toEqual(['small', 'large']);
    large.end(new Error('damaged'));
    await expect(large.done).rejects.toThrow('damaged');
    await turn();
    expect(order).toEqual(['small', 'large', 'last']);
    last.end();
    await last.done;
  });
});
