import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const fixtures = `${root}test/fixtures`;

export const fixture = (name: string): Buffer => readFileSync(`${fixtures}/${name}`);

/** Fixtures of a folder whose names end so. */
export function fixturesOf(folder: string, end: RegExp): Buffer[] {
  const names = readdirSync(`${fixtures}/${folder}`).filter((name) => end.test(name));
  return names.sort().map((name) => fixture(`${folder}/${name}`));
}

export const asBuffer = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, null, 1));
