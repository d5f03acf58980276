import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { LorikeetError, reasonOf } from '../errors.ts';
import { withinSeconds } from './bounded-time.ts';

/**
 * Chat templates, rendered with limits: they come with a checkpoint, so they are other people's programs.
 * A template sees the messages and the names below, never the process, the clock or a file.
 */

export type TemplatePart = { type: 'text'; text: string } | { type: 'image' };

export interface TemplateMessage {
  role: string;
  content: string | TemplatePart[];
}

export interface RenderOptions {
  /** Ends with the header of an assistant turn, as a model is asked for its answer. */
  addGenerationPrompt?: boolean;
}

export interface ChatTemplate {
  readonly source: string;
  /** The file the template was found in. */
  readonly file: string;
  /** @throws LorikeetError 'tokenizer' where the template raises, fails, or goes past its limits. */
  render(messages: TemplateMessage[], options?: RenderOptions): string;
}

/** The part of the package's interpreter that is used here; its own declarations do not resolve under nodenext. */
interface Evaluator {
  run(program: unknown): { value: unknown };
  evaluate(node: unknown, environment: unknown): { value: unknown };
}

const BaseInterpreter: new (environment: unknown) => Evaluator = Interpreter;

const maxSource = 2 ** 20; // characters
const maxRange = 2 ** 16;
const maxSeconds = 10;

/** What one render may use: evaluated nodes and list items (`steps`), and characters and items of any one value, all told. */
interface Limits {
  steps: number;
  size: number;
}

/**
 * @param variables what transformers hands to a template beside the messages: `bos_token`, `eos_token` ...
 * @throws LorikeetError 'tokenizer' where the source cannot be parsed.
 */
export function compileTemplate(
  source: string,
  file: string,
  variables: Record<string, string>,
): ChatTemplate {
  const program = parseSource(source, file);
  const render = (messages: TemplateMessage[], options: RenderOptions = {}) => {
    try {
      const environment = environmentFor(messages, options, variables);
      const interpreter = new BoundedInterpreter(environment, limitsFor(messages));
      return String(interpreter.run(program).value);
    } catch (cause) {
      throw failure(file, 'failed', cause);
    }
  };
  return { source, file, render };
}

function parseSource(source: string, file: string) {
  try {
    if (source.length > maxSource) throw new Error(`${source.length} characters are more than ${maxSource}`);
    return withinSeconds(maxSeconds, () =>
      parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })),
    );
  } catch (cause) {
    throw failure(file, 'cannot be parsed', cause);
  }
}

function failure(file: string, how: string, cause: unknown): LorikeetError {
  return new LorikeetError('tokenizer', {
    file,
    what: `the chat template ${how}: ${reasonOf(cause)}`,
    fix: 'Take the template that was published with the checkpoint, or a conversation that it accepts.',
    cause,
  });
}

function environmentFor(
  messages: TemplateMessage[],
  options: RenderOptions,
  variables: Record<string, string>,
): unknown {
  const environment = new Environment();
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  for (const [name, value] of Object.entries({ ...constants, ...variables })) environment.set(name, value);
  environment.set('messages', messages);
  environment.set('tools', null);
  environment.set('documents', null);
  environment.set('add_generation_prompt', options.addGenerationPrompt ?? false);
  environment.set('range', boundedRange);
  environment.set('raise_exception', (message: unknown) => {
    throw new Error(String(message));
  });
  return environment;
}

function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= maxRange)) throw new Error(`range() of ${length} numbers is longer than ${maxRange}`);
  return Array.from({ length }, (_, i) => from + i * step);
}

function limitsFor(messages: TemplateMessage[]): Limits {
  let characters = 0;
  let parts = 0;
  for (const { content } of messages) {
    for (const part of typeof content === 'string' ? [content] : content) {
      const text = typeof part === 'string' ? part : part.type === 'text' ? part.text : '';
      characters += text.length;
      parts++;
    }
  }
  return { steps: 1_000_000 + 1000 * parts + 16 * parts ** 2, size: 2 ** 20 + 4 * characters + 1024 * parts };
}

/** Counts every node it evaluates and looks at the size of every value, so that no template can run away. */
class BoundedInterpreter extends BaseInterpreter {
  readonly #limits: Limits;
  readonly #deadline = performance.now() + maxSeconds * 1000; // no clock that can be set, or go on while the machine sleeps
  readonly #sizes = new WeakMap<object, number>();
  #steps = 0;

  constructor(environment: unknown, limits: Limits) {
    super(environment);
    this.#limits = limits;
  }

  override evaluate(node: unknown, environment: unknown): { value: unknown } {
    this.#spend(1);
    const result = super.evaluate(node, environment);
    const { value } = result;
    if (Array.isArray(value)) this.#spend(value.length); // a loop over it costs that before its body is seen
    if (this.#sizeOf(result) > this.#limits.size)
      throw new Error(`a value of more than ${this.#limits.size} characters or items`);
    return result;
  }

  /** Of what it would be written out: a list that holds another one twice is twice as long, though it takes no room. */
  #sizeOf(held: { value: unknown }): number {
    const { value } = held;
    if (typeof value === 'string') return value.length;
    if (!Array.isArray(value) && !(value instanceof Map)) return 1;
    const known = this.#sizes.get(held);
    if (known !== undefined) return known;
    this.#sizes.set(held, 1); // a namespace may hold itself
    let size = 1;
    for (const item of value.values()) size += this.#sizeOf(item);
    this.#sizes.set(held, size);
    return size;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#limits.steps) throw new Error(`more than ${this.#limits.steps} steps`);
    if (performance.now() > this.#deadline) throw new Error(`more than ${maxSeconds} s`);
  }
}
