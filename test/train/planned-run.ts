import { join } from 'node:path';
import { checkData } from '../../src/check/check-data.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createEncoder, encoderSettings } from '../../src/train/encoder.ts';
import { type MemoryPlan, planMemory } from '../../src/train/memory-plan.ts';

export interface PlannedRunOptions {
  /** Words of the config: `memory=1GB`. */
  set?: string[];
  /** Bytes that the machine has left. */
  available?: number;
}

/** The memory plan of a folder that `tinyRun` made, on a machine of a size that the test chooses. */
export async function plannedRun(
  folder: string,
  { set = [], available = 64e9 }: PlannedRunOptions = {},
): Promise<MemoryPlan> {
  const loaded = await loadConfig(join(folder, 'config.yaml'), { set });
  const encoder = await createEncoder(encoderSettings(loaded.config));
  const pass = checkData(loaded.config.data, encoder, () => false);
  for (;;) {
    const next = await pass.next();
    if (!next.done) continue;
    const { train, validation } = next.value!;
    return planMemory({ loaded, train, validation, encoder, machine: { total: available, available } });
  }
}
