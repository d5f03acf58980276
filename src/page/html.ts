/**
 * Markup as a value of its own type: text that comes from data can stand in it and can never become part of it.
 * The same holds for SVG, which is written with the same template.
 */

/** Markup. Only this file makes it: from templates that stand in the code, with everything put in escaped. */
class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type { Html };

/** What may stand in a template: text is escaped, markup is not again, nothing leaves nothing. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

const known = new WeakMap<TemplateStringsArray, Place[]>();

/**
 * A tagged template: every `${}` is escaped unless it is `Html`. It stands between tags or inside a quoted attribute;
 * any other place (a tag's name, an attribute without quotes, an event handler, a script, a style) throws, since
 * escaping would not hold there.
 */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  let places = known.get(strings);
  if (!places) {
    places = placesOf(strings);
    known.set(strings, places);
  }
  let text = strings[0];
  for (let i = 0; i < contents.length; i++) {
    text += (places[i] === 'attribute' ? attributeText(contents[i]) : markup(contents[i])) + strings[i + 1];
  }
  return new Html(text);
}

/** Markup that code of ours wrote as a whole: a plot, a style. Never for anything that holds unescaped data. */
export function trusted(text: string): Html {
  return new Html(text);
}

export function join(parts: readonly Content[], separator: Content = ''): Html {
  return new Html(parts.map(markup).join(markup(separator)));
}

/** A script of ours. Refuses code that would end its own element. */
export function script(code: string): Html {
  return new Html(`<script>${unbroken(code, 'script')}</script>`);
}

export function style(css: string): Html {
  return new Html(`<style>${unbroken(css, 'style')}</style>`);
}

/** Data for a script, which reads it as `JSON.parse(document.getElementById(id).textContent)`. */
export function jsonData(id: string, value: unknown): Html {
  const text = JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return html`<script type="application/json" id="${id}">${new Html(text)}</script>`;
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it stands in HTML, SVG and XML. What XML cannot hold (control characters, half characters) shows as U+FFFD. */
export function escapeText(text: string): string {
  return text.replace(unwritable, '\ufffd').replace(/[&<>"']/g, (character) => entities[character]);
}

/** No character that XML 1.0 allows: its section 2.2. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the expression is for
const unwritable = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;

function markup(content: Content): string {
  if (content instanceof Html) return content.toString();
  if (Array.isArray(content)) return content.map(markup).join('');
  return attributeText(content);
}

function attributeText(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (typeof content === 'string' || typeof content === 'number') return escapeText(String(content));
  throw new TypeError('an attribute expected text, got markup');
}

type Place = 'text' | 'attribute';

/** Where each `${}` of a template stands. */
function placesOf(strings: TemplateStringsArray): Place[] {
  const places: Place[] = [];
  let before = '';
  for (const part of strings.slice(0, -1)) {
    before += part;
    places.push(placeAfter(before));
    before += 'x';
  }
  return places;
}

function placeAfter(text: string): Place {
  const tag = text.slice(text.lastIndexOf('<'));
  if (/^<(script|style)\b[^>]*>/i.test(tag) && !isData(tag)) {
    throw new TypeError(`no text can be made safe inside ${tag}`);
  }
  if (!tag.startsWith('<') || tag.includes('>')) return 'text';
  const attribute = /^<[\w-]+(?:\s+[\w:-]+(?:="[^"]*")?)*\s+([\w:-]+)="[^"]*$/.exec(tag);
  if (!attribute || /^on/i.test(attribute[1])) {
    throw new TypeError(`a value expected to stand in a quoted attribute, got ${tag}`);
  }
  return 'attribute';
}

/** Of `jsonData` alone, which hands over text that holds no `<`. */
function isData(tag: string): boolean {
  return tag.startsWith('<script type="application/json"');
}

function unbroken(code: string, element: string): string {
  if (code.toLowerCase().includes(`</${element}`) || code.includes('<!--')) {
    throw new TypeError(`a ${element} expected no end of its own element, got ${code.slice(0, 80)}`);
  }
  return code;
}
