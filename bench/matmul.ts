/** The rate of one large product: what this machine's arithmetic gives at best, measured beside what is held against it. */
import { GraphBuilder } from '../src/graph/builder.ts';
import { openSession } from '../src/runtime/session.ts';
import { seconds } from './bench.ts';

const [m, k, n] = [512, 1536, 8960];
export const matmulShape = `${m}x${k}x${n}`;

export class Matmul {
  readonly #run: () => Promise<unknown>;

  private constructor(run: () => Promise<unknown>) {
    this.#run = run;
  }

  static async open(threads: number): Promise<Matmul> {
    const graph = new GraphBuilder();
    const a = graph.input('a', { shape: [m, k], dtype: 'f32' });
    const b = graph.input('b', { shape: [k, n], dtype: 'f32' });
    graph.output('c', graph.reduceSum(graph.slice(graph.matmul(a, b), 0, 0, 1), [0, 1]));
    const session = await openSession(graph.finish(), { target: 'cpu', threads });
    const feeds = {
      a: { data: new Float32Array(m * k).fill(0.5), dims: [m, k] },
      b: { data: new Float32Array(k * n).fill(0.25), dims: [k, n] },
    };
    return new Matmul(() => session.run(feeds));
  }

  /**
   * GFLOP/s, the mean of products repeated for `length` seconds: what the machine keeps up for as long as a step takes,
   * not its best moment. The first, after others' turn, brings its memory back and is not timed.
   */
  async rate(length: number): Promise<number> {
    await this.#run();
    let [total, times] = [0, 0];
    for (; total < length; times++) total += await seconds(this.#run);
    return (2 * m * k * n * times) / total / 1e9;
  }
}
