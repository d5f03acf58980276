/** Where a graph can run. A new target is a row here: its execution provider and its emission table. */
import { cpuRules } from './cpu-rules.ts';
import type { EmissionTable } from './emit.ts';

export interface TargetDefinition {
  executionProviders: string[];
  rules: EmissionTable;
}

export const targets = {
  cpu: { executionProviders: ['cpu'], rules: cpuRules },
} as const satisfies Record<string, TargetDefinition>;

export type Target = keyof typeof targets;
