import { type ErrorPlace, LorikeetError } from '../errors.ts';

/**
 * The same error with the place of its row. What it already knows of its place stays. An error about another file (a
 * picture) is told at the row that names that file, because the row is what somebody can look up and take out.
 */
export function withPlace(error: unknown, place: ErrorPlace): unknown {
  if (!(error instanceof LorikeetError)) return error;
  const { code, what, fix, cause = error } = error;
  const { file } = error.place;
  const isElsewhere = file !== undefined && place.file !== undefined && file !== place.file;
  if (isElsewhere) {
    const told = { ...error.place, line: undefined, ...place };
    return new LorikeetError(code, { ...told, what: `${file}: ${what}`, fix, cause });
  }
  return new LorikeetError(code, { what, fix, ...place, ...error.place, cause });
}

/** Whether an error is about one row, so that `onBadRow: skip` may pass over it. */
export function isBadRow(error: unknown): error is LorikeetError {
  return error instanceof LorikeetError && (error.code === 'data' || error.code === 'image');
}
