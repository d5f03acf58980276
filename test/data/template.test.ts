import { describe, expect, it } from 'vitest';
import { compileTemplate } from '../../src/data/template.ts';

const messages = [{ role: 'user', content: 'hello' }];
const render = (source: string, options = {}) =>
  compileTemplate(source, 'chat_template.jinja', { eos_token: '</s>' }).render(messages, options);

describe('a chat template', () => {
  it('sees messages, special tokens and the generation prompt, as in transformers', () => {
    const source =
      '{% for m in messages %}\n{{ m.role }}: {{ m["content"] }}{{ eos_token }}\n{% endfor %}\n{% if add_generation_prompt %}>{% endif %}';
    expect(render(source)).toBe('user: hello</s>\n');
    expect(render(source, { addGenerationPrompt: true })).toBe('user: hello</s>\n>');
    expect(render('{{ tools is none }} {{ bos_token is defined }} {{ range(3) | join }} {{ True }}')).toBe(
      'true false 012 true',
    );
  });

  it('sees neither the process nor the clock', () => {
    for (const name of ['process', 'require', 'globalThis', 'strftime_now', 'constructor', '__proto__']) {
      expect(render(`{{ ${name} is defined }}`)).toBe('false');
    }
    expect(render('{{ messages[0].constructor is defined }}{{ messages.constructor is defined }}')).toBe(
      'falsefalse',
    );
  });

  it.each([
    "{{ ''.constructor.constructor('return process')() }}",
    "{{ messages.__proto__.polluted }}{{ messages['constructor']['prototype'] }}",
    '{% set messages[0].__proto__ = 1 %}',
    "{{ messages | map(attribute='constructor') | list }}",
    "{{ range.constructor('return process')() }}",
    "{{ raise_exception.call.constructor('return process')() }}",
    '{{ namespace(__proto__=messages).polluted }}',
  ])('reaches nothing by %s', (source) => {
    let written = '';
    try {
      written = render(source);
    } catch (error) {
      expect(error).toMatchObject({ code: 'tokenizer' });
    }
    expect(written).not.toMatch(/process|function|native/);
    expect({}).not.toHaveProperty('polluted');
  });

  it('keeps its words when it raises', () => {
    expect(() => render("{{ raise_exception('no system please') }}")).toThrow(
      /chat_template.jinja: the chat template failed: .*no system please/,
    );
  });

  it.each([
    [
      'writes too much',
      '{% for i in range(60000) %}{{ "x" * 1 ~ "0123456789012345678901234567890123456789" }}{% endfor %}',
    ],
    [
      'doubles a text',
      `{% set ns = namespace(x="ab") %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
    ],
    [
      'doubles a list',
      `{% set ns = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`,
    ],
    [
      'holds a list in a list twice, which takes no room until it is written out',
      '{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}',
    ],
    ['indents for ever', '{{ "a\nb" | indent(2000000000) }}'],
    [
      'puts one text between all letters of another',
      `{{ "${'x'.repeat(2 ** 19)}" | replace("", "${'y'.repeat(2 ** 18)}") }}`,
    ],
    ['counts too far', '{% for i in range(1000000000) %}{% endfor %}'],
    ['never ends', '{% for i in range(60000) %}{% for j in range(60000) %}{{ j }}{% endfor %}{% endfor %}'],
    ['calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['nests deeply', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`],
    ['is no template', '{% if %}'],
  ])('that %s ends with a typed error', (_, source) => {
    let error: unknown;
    try {
      render(source);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'LorikeetError', code: 'tokenizer' });
  });
});
