import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Takes away temporary files and folders (`formats/atomic.ts`) that a killed process left of what `names` matches. */
export function removeHalfWritten(folder: string, names: RegExp): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const [, target] = /^\.(.+)\.[0-9a-f]{12}\.tmp$/.exec(name) ?? [];
    if (target !== undefined && names.test(target))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}
