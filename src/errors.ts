/** The room an error comes from: what a program switches on. The words are for people and may change. */
export type ErrorCode =
  | 'hub' // fetching a model: names, refusals, connections, room
  | 'config' // a word in the config file or on the command line
  | 'data' // a row, a conversation, its labels
  | 'image' // a picture that cannot be read or used
  | 'tokenizer' // tokenizer files, special tokens, chat template
  | 'checkpoint' // base weights and their config.json
  | 'adapter' // LoRA weights and their adapter_config.json
  | 'graph' // a graph that is built wrongly: a bug of ours
  | 'engine' // ONNX Runtime refused or failed
  | 'memory' // a run or a row that needs more than there is
  | 'training' // the numbers of a run went wrong
  | 'run'; // the run folder

/** Where the trouble is, as far as it is known. */
export interface ErrorPlace {
  file?: string;
  line?: number;
  row?: number;
  rows?: number[];
  tensor?: string;
  /** From 1; 0 is before the first. */
  step?: number;
}

export interface ErrorDetails extends ErrorPlace {
  /** What was expected and what was found, with the numbers: `rank expected an integer above 0, got -4`. */
  what: string;
  /** What the reader can do about it, as a sentence. */
  fix?: string;
  cause?: unknown;
}

/**
 * The one error class that Lorikeet throws on purpose. `message` reads `<place>: <what>. <fix>`;
 * `code` and the fields of the place are there for programs.
 */
export class LorikeetError extends Error {
  readonly code: ErrorCode;
  readonly what: string;
  readonly fix?: string;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, details: ErrorDetails) {
    const { what, fix, cause, ...place } = details;
    super(describe(what, fix, place), { cause });
    this.name = 'LorikeetError';
    this.code = code;
    this.what = what;
    this.fix = fix;
    this.place = place;
  }
}

/** Why a library failed, for people: its TypeErrors speak of its insides, where something is missing in what it read. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof TypeError) return 'its parts are not as the format has them';
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
}

function describe(what: string, fix: string | undefined, place: ErrorPlace): string {
  const where = [
    place.file && (place.line === undefined ? place.file : `${place.file}:${place.line}`),
    place.step !== undefined && (place.step === 0 ? 'before step 1' : `step ${place.step}`),
    place.row !== undefined && `row ${place.row}`,
    place.rows && `${place.rows.length === 1 ? 'row' : 'rows'} ${place.rows.join(', ')}`,
    place.tensor && `tensor ${place.tensor}`,
  ].filter(Boolean);
  const head = where.length > 0 ? `${where.join(', ')}: ` : '';
  const ended = /[.!?]$/.test(what) ? what : `${what}.`;
  return fix ? `${head}${ended} ${fix}` : `${head}${ended}`;
}
