import { isRecord, type JsonObject } from '../data/rows/own.ts';
import { count } from '../words.ts';
import type { LinesRead } from './bounded-files.ts';

/** Keeps account of the lines of a file that could not be used, to tell them at the end. */
export class LineAccount {
  #broken = 0;
  #cutOff = false;
  readonly #unknown = new Map<string, number>();

  /** The object that a line holds; nothing where it holds none, which is then counted. */
  parsed(line: string, isLast: boolean): JsonObject | undefined {
    try {
      const value: unknown = JSON.parse(line);
      if (isRecord(value)) return value;
    } catch {
      // The last line of a run that was ended from outside is the beginning of one.
      if (isLast) {
        this.#cutOff = true;
        return undefined;
      }
    }
    this.#broken++;
    return undefined;
  }

  /** A line is what it promises, or it is not. */
  told(isGood: boolean): void {
    if (!isGood) this.#broken++;
  }

  /** A line of a kind that this version does not know. */
  unknown(type: unknown): void {
    if (typeof type !== 'string') this.#broken++;
    else if (this.#unknown.size < 100 || this.#unknown.has(type)) {
      this.#unknown.set(type, (this.#unknown.get(type) ?? 0) + 1);
    }
  }

  sentences(file: string, { tooLong, isCut }: LinesRead): string[] {
    const unknown = [...this.#unknown].map(([type, lines]) => `"${type.slice(0, 40)}" (${lines})`);
    return [
      this.#cutOff && `${file}: the last line is cut off: left out.`,
      this.#broken > 0 && `${file}: ${count(this.#broken, 'line')} could not be read: left out.`,
      tooLong > 0 && `${file}: ${count(tooLong, 'line')} longer than any that a run writes: left out.`,
      isCut && `${file}: longer than what is read of such a file; the rest was left out.`,
      unknown.length > 0 &&
        `${file}: events of kinds that this version does not know were passed over: ${unknown.slice(0, 5).join(', ')}` +
          `${unknown.length > 5 ? ' and others' : ''}. A newer Lorikeet may have written them.`,
    ].filter((sentence) => typeof sentence === 'string');
  }
}
