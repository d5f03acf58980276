import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { html, jsonData } from '../../src/page/html.ts';
import { page } from '../../src/page/shell.ts';
import { elementsOf } from '../support/markup.ts';

const policyOf = (markup: string) =>
  elementsOf(markup).find(({ attributes }) => attributes['http-equiv'] === 'Content-Security-Policy')!
    .attributes.content;

describe('page', () => {
  it('needs nothing else and lets nothing else run', () => {
    const markup = page({ title: 'A <b>', body: html`<p>${'x'}</p>`, scripts: ['let a = 1 < 2 && 3;'] });
    const elements = elementsOf(markup);
    expect(elements.find(({ name }) => name === 'title')!.text).toBe('A <b>');
    expect(elements.filter(({ attributes }) => 'src' in attributes || 'href' in attributes)).toEqual([]);
    expect(markup).not.toMatch(/https?:|url\(|@import/);
    const hashes = elements
      .filter(({ name }) => name === 'script')
      .map(({ text }) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    expect(hashes.length).toBeGreaterThan(1);
    expect(policyOf(markup)).toBe(
      `default-src 'none'; script-src ${hashes.join(' ')}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`,
    );
  });

  it('talks to its own server where it is live, and to no other', () => {
    const markup = page({ title: 'x', body: 'x', live: true, head: jsonData('state', { a: '</script>' }) });
    expect(policyOf(markup)).toContain("connect-src 'self'");
    expect(policyOf(markup)).toContain("default-src 'none'");
    const data = elementsOf(markup).find(({ attributes }) => attributes.id === 'state')!;
    expect(JSON.parse(data.text)).toEqual({ a: '</script>' });
  });
});
