import type { FullConfig, LoraConfig } from '../config/schema.ts';
import type { Decision } from './events.ts';
import type { WriteAdapter } from './record.ts';
import type { CompiledStep } from './step.ts';

/** What a training step is compiled from. */
export interface CompileOptions {
  modelDir: string;
  /** Go on from this adapter; `lora` then holds what it must agree with, and only that. */
  adapterDir?: string;
  lora?: Partial<LoraConfig>;
  full?: FullConfig;
  recompute: boolean;
  /** Physical cores where not given. */
  threads?: number;
  seed: number;
}

export interface CompiledModel extends CompiledStep {
  device: string;
  threads: number;
  decisions: Decision[];
  /** Writes the parameters as they are now into an empty folder. */
  writeAdapter: WriteAdapter;
}

export type Compile = (options: CompileOptions) => Promise<CompiledModel>;
