/** All words of the schema as dotted names, and the section each object of it is. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

interface Word {
  /** `train.epochs` */
  name: string;
  isSection: boolean;
  /** It has no default. */
  isNeeded: boolean;
  /** What it is, where its name and type do not say it. */
  description?: string;
}

/** The schema under defaults and optionals. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod as { def: { innerType?: z.core.$ZodType } };
  return def.innerType ? bare(def.innerType) : schema;
}

function walk(schema: z.core.$ZodType, prefix: string): Word[] {
  const { def } = bare(schema)._zod as { def: { shape?: Record<string, z.core.$ZodType> } };
  if (!def.shape) return [];
  return Object.entries(def.shape).flatMap(([key, inner]) => {
    const name = `${prefix}${key}`;
    const within = walk(inner, `${name}.`);
    const description = z.globalRegistry.get(inner)?.description;
    const isNeeded = inner._zod.optin === undefined;
    return [{ name, isSection: within.length > 0, isNeeded, description }, ...within];
  });
}

export const words: readonly Word[] = walk(configSchema, '');

export const sections: ReadonlySet<string> = new Set(
  words.filter((word) => word.isSection).map((word) => word.name),
);

/** The words that stand directly in a section; '' is the file itself. */
export function wordsOf(section: string): string[] {
  const prefix = section === '' ? '' : `${section}.`;
  return words
    .map((word) => word.name)
    .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('.'))
    .map((name) => name.slice(prefix.length));
}
