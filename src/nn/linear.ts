/** y = x W' + b, with a LoRA branch where the module has one. */
import type { Value } from '../graph/ir.ts';
import type { Dim } from '../graph/shape.ts';
import { hash } from '../random.ts';
import { loraNames, type Network, parameter } from './network.ts';

/** x [rows, in] -> [rows, out]. `module` names the weight, `<module>.weight` [out, in], and its bias. */
export function linear(net: Network, module: string, x: Value, { bias }: { bias: boolean }): Value {
  const { graph } = net;
  let y = graph.matmul(x, parameter(net, `${module}.weight`), { transB: true });
  if (bias) y = graph.add(y, parameter(net, `${module}.bias`));
  const branch = net.lora.get(module);
  if (!branch) return y;
  const names = loraNames(module);
  const input = net.training && branch.dropout > 0 ? dropout(net, module, x, branch.dropout) : x;
  const low = graph.matmul(input, parameter(net, names.a), { transB: true }); // [rows, R]
  // The scale acts on R columns instead of on all outputs.
  return graph.add(
    y,
    graph.matmul(graph.scale(low, branch.scale), parameter(net, names.b), { transB: true }),
  );
}

/** Rows of a kind (tokens, patches, merged patches) share keys; the module's name makes its mask its own. */
function dropout(net: Network, module: string, x: Value, rate: number): Value {
  return net.graph.dropout(x, dropoutKeys(net, net.graph.shape(x)[0]), rate, hash(module) | 0);
}

/** A row that was picked out of others keeps its key, so that picking changes no mask. */
function dropoutKeys({ graph, picked }: Network, rows: Dim): Value {
  const keys = (count: Dim) => graph.input(dropoutKeysName(String(count)), { shape: [count], dtype: 'i32' });
  const isPicked = picked !== undefined && graph.shape(picked.rows)[0] === rows;
  return isPicked ? graph.gather(keys(picked.of), picked.rows) : keys(rows);
}

/** The input that holds a key for each row of matrices with this symbolic number of rows. */
export const dropoutKeysName = (rows: string) => `dropoutKeys ${rows}`;
