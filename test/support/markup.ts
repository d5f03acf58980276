/** A strict reader of the markup that pages and plots are made of: it throws at whatever a browser would mend. */

export interface Element {
  name: string;
  attributes: Record<string, string>;
  /** Text inside, that of its children too, without markup. */
  text: string;
}

/** Elements of HTML that have no end. */
const empty = new Set(['meta', 'br', 'wbr', 'input', 'img', '!doctype']);
const raw = new Set(['script', 'style']);

/** Every element of HTML or SVG in the order of their beginnings. Throws where they do not nest. */
export function elementsOf(markup: string): Element[] {
  const elements: Element[] = [];
  const open: Element[] = [];
  const tags = /<(\/?)([!a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>|([^<]+)|(<)/g;
  for (let match = tags.exec(markup); match; match = tags.exec(markup)) {
    const [whole, closing, name, attributes, ends, text, stray] = match;
    if (stray) throw new Error(`a stray < at ${markup.slice(match.index, match.index + 60)}`);
    if (text !== undefined) {
      checkText(text);
      for (const element of open) element.text += unescapeText(text);
    } else if (closing) {
      const last = open.pop();
      if (last?.name !== name) throw new Error(`</${name}> ends <${last?.name}>`);
    } else {
      const element = { name, attributes: attributesOf(attributes), text: '' };
      elements.push(element);
      if (raw.has(name)) {
        const end = markup.indexOf(`</${name}>`, tags.lastIndex);
        element.text = markup.slice(tags.lastIndex, end);
        tags.lastIndex = end + name.length + 3;
      } else if (!ends && !empty.has(name)) open.push(element);
    }
    if (whole.length === 0) break;
  }
  if (open.length > 0) throw new Error(`<${open[open.length - 1].name}> never ends`);
  return elements;
}

function attributesOf(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, value = ''] of text.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) {
    if (name in found) throw new Error(`${name} stands twice in ${text}`);
    found[name] = unescapeText(value);
  }
  return found;
}

function checkText(text: string): void {
  const bare = /&(?!amp;|lt;|gt;|quot;|#39;)/.exec(text);
  if (bare) throw new Error(`a bare & at ${text.slice(bare.index, bare.index + 40)}`);
}

const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescapeText(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => characters[name]);
}
