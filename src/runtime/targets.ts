/** Where a graph can run. A new target is a row here: its execution provider and its emission table. */
import { cpuRules } from './cpu-rules.ts';
import type { EmissionTable } from './emit.ts';
import { portableRules } from './portable-rules.ts';

export interface TargetDefinition {
  executionProviders: string[];
  rules: EmissionTable;
}

export const targets = {
  cpu: { executionProviders: ['cpu'], rules: cpuRules },
  /** Files that other runtimes shall read, too. */
  portable: { executionProviders: ['cpu'], rules: portableRules },
} as const satisfies Record<string, TargetDefinition>;

export type Target = keyof typeof targets;
