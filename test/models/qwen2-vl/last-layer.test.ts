/** The last layer computes what was asked for alone, and nothing else changes by that. */
import { describe, expect, it } from 'vitest';
import { backward } from '../../../src/autodiff/backward.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { type Graph, nodesOfKind } from '../../../src/graph/ir.ts';
import type { Shape } from '../../../src/graph/shape.ts';
import { verify } from '../../../src/graph/verify.ts';
import { parseModelConfig } from '../../../src/models/qwen2-vl/config.ts';
import { decoder } from '../../../src/models/qwen2-vl/text.ts';
import { linearModules, parameterTable } from '../../../src/models/qwen2-vl/weights.ts';
import { loraNames, type Parameter } from '../../../src/nn/network.ts';
import { stream } from '../../../src/random.ts';
import { openSession } from '../../../src/runtime/session.ts';
import { relativeL2 } from '../../support/parity.ts';

const config = parseModelConfig(
  {
    model_type: 'qwen2_vl',
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 48,
    vocab_size: 64,
    image_token_id: 1,
    video_token_id: 2,
    vision_start_token_id: 3,
    vision_end_token_id: 4,
    rope_scaling: { type: 'mrope', mrope_section: [1, 1, 2] },
    vision_config: { depth: 1, embed_dim: 16, num_heads: 2, hidden_size: 32 },
  },
  'config.json',
);
const tokens = 11;
const width = config.text.hiddenSize;
const half = config.text.headDim / 2;
const rank = 3;

interface Choice {
  /** Whether the layer picks the rows itself, or gives all and they are picked after it. */
  inside: boolean;
  dropout?: number;
  recompute?: boolean;
}

/** The layers with LoRA on every linear: hidden states at rows [N], and the gradients of a weighted sum of them. */
function build({ inside, dropout = 0, recompute = false }: Choice): Graph {
  const modules = linearModules(config).filter(({ part }) => part === 'decoder');
  const table = parameterTable(config).filter(({ name }) => name.startsWith('model.language_model.layers.'));
  const parameters = new Map<string, Parameter>();
  const add = (name: string, shape: Shape) => parameters.set(name, { name, shape, role: 'trainable' });
  for (const { name, shape } of table) add(name, shape);
  for (const { name, inFeatures, outFeatures } of modules) {
    add(loraNames(name).a, [rank, inFeatures]);
    add(loraNames(name).b, [outFeatures, rank]);
  }
  const lora = new Map(modules.map(({ name }) => [name, { rank, scale: 0.5, dropout }]));
  const graph = new GraphBuilder();
  const net = { graph, parameters, lora, training: true, recompute };
  const float = (name: string, shape: Shape) => graph.input(name, { shape, dtype: 'f32' });
  const rows = graph.input('rows', { shape: ['N'], dtype: 'i32' });
  const x = float('x', ['T', width]);
  const y = decoder(net, config, x, {
    cos: float('cos', ['T', half]),
    sin: float('sin', ['T', half]),
    mask: float('mask', ['T', 'T']),
    rows: inside ? rows : undefined,
  });
  const wanted = [...parameters.values()].map(({ name, shape }) => graph.parameter(name, shape));
  const at = inside ? y : graph.gather(y, rows);
  const gradients = backward(graph, [{ value: at, gradient: float('seed', ['N', width]) }], [...wanted, x]);
  graph.output('y', at);
  [...parameters.keys(), 'x'].forEach((name, i) => {
    graph.output(`d ${name}`, gradients.get([...wanted, x][i])!);
  });
  const finished = graph.finish();
  verify(finished);
  return finished;
}

async function run(graph: Graph, rows: number[]) {
  const draws = stream(5, 'last layer');
  const lengths: Record<string, number> = { T: tokens, N: rows.length };
  const feed = ({ attributes: { name, type } }: { attributes: { name: string; type: { shape: Shape } } }) => {
    const dims = type.shape.map((dim) => (typeof dim === 'string' ? lengths[dim] : dim));
    const size = dims.reduce((product, dim) => product * dim, 1);
    if (name === 'rows') return [name, { data: Int32Array.from(rows), dims }];
    if (name.startsWith('dropoutKeys'))
      return [name, { data: Int32Array.from({ length: size }, (_, i) => 1e6 * i - 77), dims }];
    const at = (i: number) => {
      if (name !== 'mask') return 0.3 * draws.normal() + Number(name.endsWith('norm.weight'));
      return i % tokens <= Math.floor(i / tokens) ? 0 : -1e30;
    };
    return [name, { data: Float32Array.from({ length: size }, (_, i) => at(i)), dims }];
  };
  // By name, so that every graph is fed the same whatever the order of its leaves.
  const leaves = [...nodesOfKind(graph, 'input'), ...nodesOfKind(graph, 'parameter')];
  const sorted = leaves.sort((a, b) => (a.attributes.name < b.attributes.name ? -1 : 1));
  const session = await openSession(graph, { target: 'cpu', threads: 1 });
  const results = await session.run(Object.fromEntries(sorted.map(feed)));
  await session.close();
  return results;
}

describe.each([
  ['some rows', [2, 3, 9]],
  ['one row', [10]],
  ['rows that repeat, in any order', [7, 4, 7, 0, 7, 4]],
  ['every row', Array.from({ length: tokens }, (_, t) => t)],
])('%s', (_, rows) => {
  it.each<Omit<Choice, 'inside'>>([{}, { dropout: 0.3 }, { dropout: 0.3, recompute: true }])(
    'give what they give when all are computed and they are picked after: %o',
    async (choice) => {
      const expected = await run(build({ inside: false, ...choice }), rows);
      const found = await run(build({ inside: true, ...choice }), rows);
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, values] of Object.entries(expected))
        expect(relativeL2(found[name], values), name).toBeLessThan(2e-6);
    },
  );
});

it('has every row pass the keys and values alone', () => {
  const { nodes } = build({ inside: true });
  const rowsThrough = (module: string) => {
    const weight = nodes.findIndex(
      ({ op, attributes }) =>
        op === 'parameter' && (attributes as { name: string }).name === `${module}.weight`,
    );
    const product = nodes.find(({ op, inputs }) => op === 'matmul' && inputs[1] === weight)!;
    return product.type.shape[0];
  };
  const stem = 'model.language_model.layers';
  const linears = [
    ...['q', 'k', 'v', 'o'].map((l) => `self_attn.${l}`),
    ...['gate', 'up', 'down'].map((l) => `mlp.${l}`),
  ];
  const rowsOf = (layer: number) => linears.map((name) => rowsThrough(`${stem}.${layer}.${name}_proj`));
  expect(rowsOf(0)).toEqual(['T', 'T', 'T', 'T', 'T', 'T', 'T']);
  expect(rowsOf(1)).toEqual(['N', 'T', 'T', 'N', 'N', 'N', 'N']);
});
