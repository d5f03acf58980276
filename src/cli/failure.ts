import { LorikeetError } from '../errors.ts';

/** What stands on stderr when a command fails: our own errors as they are, others as what they are. */
export function describeFailure(error: unknown, debug: boolean): string {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof LorikeetError;
  const lines = [known ? `Error: ${message}` : `Unexpected error: ${message}`];
  if (debug && error instanceof Error && error.stack) lines.push(error.stack);
  else if (!known) lines.push('This is a mistake of Lorikeet. LORIKEET_DEBUG=1 shows where it happened.');
  return `${lines.join('\n')}\n`;
}
