import { shortPath } from '../words.ts';
import type { ConfigSource } from './train-command.ts';

/** What to type to go on with a run that was begun with these words. */
export function resumeCommand({ file, from, set }: ConfigSource): string {
  const source = from === undefined ? [shortPath(file ?? '')] : ['--from', shortPath(from)];
  const words = set.length > 0 ? ['--set', ...set] : [];
  // --resume stands before --set, which would take a word after it for one of its own.
  return ['lorikeet', 'train', ...source, '--resume', ...words].map(quoted).join(' ');
}

/** For a shell of Unix; a word that needs no quotes gets none. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
