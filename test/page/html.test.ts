import { describe, expect, it } from 'vitest';
import { escapeText, type Html, html, join, jsonData, script, style, trusted } from '../../src/page/html.ts';

const nasty = `</script></style></title>"><img src=x onerror='alert(1)'>&amp;`;
const quiet =
  '&lt;/script&gt;&lt;/style&gt;&lt;/title&gt;&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;amp;';

describe('html', () => {
  it('escapes text between tags and in attributes', () => {
    expect(String(html`<p title="${nasty}">${nasty}</p>`)).toBe(`<p title="${quiet}">${quiet}</p>`);
  });

  it('leaves markup as it is, also in lists, and nothing where there is nothing', () => {
    const items = ['a<b', 'c'].map((text) => html`<li>${text}</li>`);
    expect(String(html`<ul class="x">${items}${null}${undefined}${false}${0}</ul>`)).toBe(
      '<ul class="x"><li>a&lt;b</li><li>c</li>0</ul>',
    );
    expect(String(join(['<', html`<br>`], ', '))).toBe('&lt;, <br>');
  });

  it('does not take an object with toString for markup', () => {
    const forged = { toString: () => '<img>' } as unknown as Html;
    expect(() => html`<p>${forged}</p>`).toThrow(TypeError);
  });

  it.each<[string, () => Html]>([
    ['an attribute without quotes', () => html`<p title=${'x'}>`],
    ['an attribute in single quotes', () => html`<p title='${'x'}'>`],
    ['a tag', () => html`<${'x'}>`],
    ['the name of an attribute', () => html`<p ${'x'}="1">`],
    ['an event handler', () => html`<p onclick="${'x'}">`],
    ['a script', () => html`<script>${'x'}</script>`],
    ['a style', () => html`<style>p { color: ${'x'} }</style>`],
    ['markup in an attribute', () => html`<p title="${trusted('"')}">`],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(TypeError);
  });

  it('knows its place after other attributes, with and without values', () => {
    expect(String(html`<input disabled class="a" value="${'"'}"> ${'>'}`)).toBe(
      '<input disabled class="a" value="&quot;"> &gt;',
    );
  });
});

describe('escapeText', () => {
  it('shows what XML cannot hold as U+FFFD and keeps whole characters', () => {
    expect(escapeText('a\0b\x1b[0m\ud800c\n\t😀\uffff')).toBe('a\ufffdb\ufffd[0m\ufffdc\n\t😀\ufffd');
  });
});

describe('scripts, styles and data', () => {
  it('refuse what would end their own element', () => {
    expect(String(script('1 < 2'))).toBe('<script>1 < 2</script>');
    expect(() => script('"</SCRIPT >"')).toThrow(TypeError);
    expect(() => script('"<!--"')).toThrow(TypeError);
    expect(() => style('p{}</style>')).toThrow(TypeError);
  });

  it('carry data that a script reads back as it was', () => {
    const value = { text: `${nasty}\u2028<!--` };
    const text = String(jsonData('"a', value));
    const [, id, body] = /^<script type="application\/json" id="(.*?)">(.*)<\/script>$/s.exec(text)!;
    expect(id).toBe('&quot;a');
    expect(body).not.toMatch(/[<>&\u2028]/);
    expect(JSON.parse(body)).toEqual(value);
  });
});
