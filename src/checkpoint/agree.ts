/** Going on from an adapter: its modules, rank and scale are settled, and a `lora` section may not say otherwise. */
import { LorikeetError } from '../errors.ts';
import { type LinearModule, selectModules, type TargetModules } from '../nn/lora-targets.ts';
import { loraScale } from '../nn/network.ts';
import type { AdapterConfig } from './peft-config.ts';

/** The words of a `lora` section that somebody wrote. */
export interface WrittenLora {
  rank?: number;
  alpha?: number;
  rslora?: boolean;
  targetModules?: TargetModules;
}

/**
 * Throws a `config` error with the differences where `written` selects other modules, another rank or another scale
 * than the adapter has. Words that were not written agree. `file` is the adapter's folder, for the error.
 */
export function checkAgreement(
  written: WrittenLora,
  adapter: AdapterConfig,
  modules: readonly LinearModule[],
  file?: string,
): void {
  const differences: string[] = [];
  const asked = { ...adapter, ...written };
  if (asked.rank !== adapter.rank) differences.push(`rank ${asked.rank} instead of ${adapter.rank}`);
  if (asked.rank === adapter.rank && loraScale(asked) !== loraScale(adapter)) {
    differences.push(`scale ${describeScale(asked)} instead of ${describeScale(adapter)}`);
  }
  if (written.targetModules !== undefined) {
    const selected = new Set(selectModules(modules, written.targetModules));
    const present = new Set(adapter.targetModules);
    differences.push(
      ...describeNames(
        'modules beyond it',
        [...selected].filter((name) => !present.has(name)),
      ),
    );
    differences.push(
      ...describeNames(
        'without its modules',
        [...present].filter((name) => !selected.has(name)),
      ),
    );
  }
  if (differences.length > 0) {
    throw new LorikeetError('config', {
      file,
      what: `lora disagrees with the adapter: ${differences.join('; ')}`,
      fix: 'Remove the lora section to go on as the adapter is, or remove adapter to start afresh.',
    });
  }
}

function describeScale({ alpha, rank, rslora }: Pick<AdapterConfig, 'alpha' | 'rank' | 'rslora'>): string {
  return rslora ? `${alpha} / sqrt(${rank})` : `${alpha} / ${rank}`;
}

function describeNames(label: string, names: string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return [`${label}: ${names.slice(0, 3).join(', ')}${more}`];
}
