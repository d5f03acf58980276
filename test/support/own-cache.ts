import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests, and the commands they start, keep nothing in the home of whoever runs them. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-cache-'));
  process.env.LORIKEET_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
