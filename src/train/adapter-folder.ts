import path from 'node:path';
import { configName } from '../checkpoint/peft-config.ts';
import { listFolder } from '../formats/atomic.ts';
import { runFiles } from './run-folder.ts';

/** The adapter's own folder, where a run's folder is named instead: its last adapter. */
export async function adapterFolder(given: string): Promise<string> {
  const names = await listFolder(given).catch((): string[] => []);
  const isRun = !names.includes(configName) && names.includes(runFiles.last);
  return isRun ? path.join(given, runFiles.last) : given;
}
