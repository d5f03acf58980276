/** What the functions that build graph share: the graph under construction and the table of parameters. */
import { LorikeetError } from '../errors.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ir.ts';
import type { Dim, Shape } from '../graph/shape.ts';

/**
 * One tensor of the model. LoRA and full fine-tuning differ in roles alone: optimizer, checkpoint and merge look
 * at nothing else. A frozen parameter has a location; a trainable one is fed and gets a gradient.
 */
export interface Parameter {
  name: string;
  /** Numbers; the rank of a LoRA tensor may be a symbol where adapters of any rank are fed. */
  shape: Shape;
  role: 'frozen' | 'trainable';
  location?: TensorLocation;
}

/** A low-rank branch beside a linear module: scale * B(A(dropout(x))) (Hu et al. 2022). */
export interface LoraBranch {
  rank: number;
  /** alpha / rank, or alpha / sqrt(rank) with rsLoRA (Kalajdzievski 2023). */
  scale: number;
  dropout: number;
}

/** LoRA's scale: alpha / rank, or alpha / sqrt(rank) with rsLoRA. */
export const loraScale = ({
  alpha,
  rank,
  rslora,
}: {
  alpha: number;
  rank: number;
  rslora: boolean;
}): number => alpha / (rslora ? Math.sqrt(rank) : rank);

export interface Network {
  graph: GraphBuilder;
  parameters: ReadonlyMap<string, Parameter>;
  /** LoRA branches by module name. */
  lora: ReadonlyMap<string, LoraBranch>;
  /** Dropout acts only in training. */
  training: boolean;
  /** Keep the inputs of each layer alone and compute its inside again in the backward pass. */
  recompute: boolean;
  /** The most rows that predict in one run, where that is known: the head's blocks are as long as fits beside them. */
  labelRows?: number;
  /** Where only rows [N] of a larger matrix go on: they, and the symbol of the number they were picked out of. */
  picked?: { rows: Value; of: Dim };
}

/** One layer: a recompute region where the network wants them. */
export function layer<T>({ graph, recompute }: Network, build: () => T): T {
  return recompute ? graph.recomputed(build) : build();
}

/** A parameter's row in the table. */
export function lookup({ parameters }: Network, name: string): Parameter {
  const known = parameters.get(name);
  if (!known)
    throw new LorikeetError('graph', { what: `parameter ${name} is not in the model's table`, tensor: name });
  return known;
}

/** A parameter's value, [shape]; `shape` may view the same elements otherwise, as a convolution's as a matrix. */
export function parameter(net: Network, name: string, shape?: number[]): Value {
  const known = lookup(net, name);
  return net.graph.parameter(
    name,
    shape ?? known.shape,
    known.role === 'frozen' ? known.location : undefined,
  );
}

/** The names of a module's two LoRA tensors, A [R, in] and B [out, R], as PEFT spells them. */
export const loraNames = (module: string) => ({ a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` });
