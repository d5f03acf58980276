import { type ErrorCode, type ErrorPlace, LorikeetError } from '../errors.ts';

/** An error as plain data, because a thread hands over copies and a copy forgets its class. */
export interface WireError {
  /** Absent where the error is none of ours. */
  code?: ErrorCode;
  message: string;
  what: string;
  fix?: string;
  place: ErrorPlace;
  stack?: string;
}

export function errorToWire(error: unknown): WireError {
  if (error instanceof LorikeetError) {
    const { code, message, what, fix, place, stack } = error;
    return { code, message, what, fix, place, stack };
  }
  if (error instanceof Error) {
    return { message: error.message, what: error.message, place: {}, stack: error.stack };
  }
  return { message: String(error), what: String(error), place: {} };
}

/** The same class, code, words and place; the stack is the one of the thread where it was thrown. */
export function errorFromWire(wire: WireError): Error {
  const { code, what, fix, place } = wire;
  const error = code ? new LorikeetError(code, { what, fix, ...place }) : new Error(wire.message);
  if (wire.stack) error.stack = wire.stack;
  return error;
}
