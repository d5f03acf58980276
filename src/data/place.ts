import { type ErrorPlace, LorikeetError } from '../errors.ts';

/**
 * The same error with the place of its row. What it already knows of its place stays; an error about another file (a
 * picture) gets the row alone, because a line belongs to the data file.
 */
export function withPlace(error: unknown, place: ErrorPlace): unknown {
  if (!(error instanceof LorikeetError)) return error;
  const { code, what, fix, cause } = error;
  const isElsewhere = error.place.file !== undefined && error.place.file !== place.file;
  const added = isElsewhere ? { row: place.row } : place;
  return new LorikeetError(code, { what, fix, ...added, ...error.place, cause: cause ?? error });
}
