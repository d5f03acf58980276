/**
 * The CPU's table without what it alone has: products with a transposed side are Gemm, or Transpose and MatMul, which
 * every runtime has. What is left of com.microsoft (RotaryEmbedding, QuickGelu) and SimplifiedLayerNormalization stands
 * in the exports of other makers too, and runs in the browser.
 */
import { cpuRules } from './cpu-rules.ts';
import type { EmissionRule, EmissionTable, Emitter } from './emit.ts';

const matmul: EmissionRule<'matmul'> = (emit, { transA, transB }, [a, b]) => {
  const [x, y] = [emit.value(a), emit.value(b)];
  const [rankX, rankY] = [a, b].map((value) => emit.type(value).shape.length);
  if (!transA && !transB) return emit.op('MatMul', [x, y]);
  // A weight keeps the layout of its checkpoint.
  if (rankX === 2 && rankY === 2)
    return emit.op('Gemm', [x, y], { transA: Number(transA), transB: Number(transB) });
  return emit.op('MatMul', [transA ? swapLast(emit, x, rankX) : x, transB ? swapLast(emit, y, rankY) : y]);
};

const swapLast = (emit: Emitter, name: string, rank: number): string => {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return emit.op('Transpose', [name], { perm: [...axes.slice(0, -2), rank - 1, rank - 2] });
};

export const portableRules: EmissionTable = { ...cpuRules, matmul };
