import { LorikeetError } from '../errors.ts';
import type { Example, Turn } from './example.ts';
import type { ChatTemplate, RenderOptions, TemplateMessage, TemplatePart } from './template.ts';

/**
 * A rendered conversation, cut where its own text meets the template's. The template is rendered with a private
 * mark in place of every text a person wrote; what stands between the marks is the template's.
 */
export type Segment = { by: 'template'; text: string } | { by: 'turn'; turn: number; text: string };

/**
 * Segments of a conversation in the order of the render; joined, they are what the template makes of the real
 * texts.
 *
 * @throws LorikeetError 'data' naming the row, where the template refuses the conversation or writes a text
 *   otherwise than it stands in the row (trimmed, rewritten, left out, twice).
 */
export function segmentsOf(example: Example, template: ChatTemplate, options: RenderOptions = {}): Segment[] {
  const turns = example.turns.map(joinTexts);
  const texts = turns.flatMap((turn, index) =>
    turn.content.flatMap((part) => (part.type === 'text' ? [{ turn: index, text: part.text }] : [])),
  );
  const marks = marksFor(texts, template);
  const skeleton = render(example, template, messagesOf(turns, marks), options);
  const segments = cut(example, skeleton, texts, marks);
  const real = render(
    example,
    template,
    messagesOf(
      turns,
      texts.map(({ text }) => text),
    ),
    options,
  );
  if (segments.map(({ text }) => text).join('') !== real) throw rewritten(example, template);
  return segments;
}

/** Texts that stand side by side are one text. */
function joinTexts(turn: Turn): Turn {
  const content: Turn['content'] = [];
  for (const part of turn.content) {
    const last = content.at(-1);
    if (part.type === 'text' && last?.type === 'text') last.text += part.text;
    else content.push({ ...part });
  }
  return { role: turn.role, content };
}

/** Spelled with a private-use character and a number that neither the texts nor the template contain. */
function marksFor(texts: { text: string }[], template: ChatTemplate): string[] {
  const mark = (nonce: number) => `\u{F5A17}${nonce}:`;
  let nonce = 0;
  while (template.source.includes(mark(nonce)) || texts.some(({ text }) => text.includes(mark(nonce))))
    nonce++;
  return texts.map((_, i) => `${mark(nonce)}${i}\u{F5A17}`);
}

/** Turns without a picture go as a string, which every chat template reads; others as parts. */
function messagesOf(turns: Turn[], texts: string[]): TemplateMessage[] {
  let next = 0;
  return turns.map(({ role, content }) => {
    const parts = content.map((part): TemplatePart => {
      return part.type === 'text' ? { type: 'text', text: texts[next++] } : { type: 'image' };
    });
    const hasImage = parts.some((part) => part.type === 'image');
    if (hasImage) return { role, content: parts };
    return { role, content: parts.map((part) => (part.type === 'text' ? part.text : '')).join('') };
  });
}

function render(
  example: Example,
  template: ChatTemplate,
  messages: TemplateMessage[],
  options: RenderOptions,
): string {
  try {
    return template.render(messages, options);
  } catch (cause) {
    if (!(cause instanceof LorikeetError)) throw cause;
    throw new LorikeetError('data', {
      row: example.row,
      what: `${cause.place.file}: ${cause.what}`,
      fix: cause.fix,
      cause,
    });
  }
}

function cut(example: Example, skeleton: string, texts: { turn: number; text: string }[], marks: string[]) {
  const segments: Segment[] = [];
  let from = 0;
  marks.forEach((mark, i) => {
    const at = skeleton.indexOf(mark, from);
    if (at < 0 || skeleton.indexOf(mark, at + 1) >= 0)
      throw misplaced(example, texts[i].turn, skeleton, mark);
    if (at > from) segments.push({ by: 'template', text: skeleton.slice(from, at) });
    if (texts[i].text !== '') segments.push({ by: 'turn', ...texts[i] });
    from = at + mark.length;
  });
  if (from < skeleton.length) segments.push({ by: 'template', text: skeleton.slice(from) });
  return segments;
}

function misplaced(example: Example, turn: number, skeleton: string, mark: string): LorikeetError {
  const times = skeleton.split(mark).length - 1;
  const found = times === 1 ? 'out of order' : `${times} times`;
  return new LorikeetError('data', {
    row: example.row,
    what: `the text of turn ${turn} (${example.turns[turn].role}) expected once in what the chat template writes, got it ${found}`,
    fix: 'The template does not take this conversation as it is: check its roles and their order.',
  });
}

function rewritten(example: Example, template: ChatTemplate): LorikeetError {
  return new LorikeetError('data', {
    row: example.row,
    what: `the chat template ${template.file} expected to write every text as it stands, got it trimmed or rewritten`,
    fix: 'Remove spaces and line breaks at the ends of the texts, or marks that this template treats in its own way.',
  });
}
