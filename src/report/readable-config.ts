/** The config as a run's record keeps it: of any version, so any word may be absent and others may be there. */
import { z } from 'zod';
import { type Config, configSchema } from '../config/schema.ts';

/** The schema's words with their types, each of which may be absent; words that it does not have are passed over. */
function readable(schema: z.core.$ZodType): z.ZodType {
  const { def } = schema._zod as {
    def: { innerType?: z.core.$ZodType; shape?: Record<string, z.core.$ZodType> };
  };
  if (def.innerType) return readable(def.innerType);
  if (!def.shape) return schema as z.ZodType;
  const words = Object.entries(def.shape).map(([name, word]) => {
    const inner = readable(word);
    // A default of today is not what a run of yesterday did.
    return [name, inner.optional().catch(undefined)];
  });
  return z.object(Object.fromEntries(words));
}

const sections = { data: {}, image: {}, train: {} };

/** Sections are always there; their words may not be, whatever the type says of a config that was just loaded. */
export const readableConfig = readable(configSchema).transform((config) => ({
  ...sections,
  ...(config as object),
})) as unknown as z.ZodType<Config>;

/** A config of which any word may be unknown. */
export type KnownConfig = {
  [K in keyof Config]?: NonNullable<Config[K]> extends object ? Partial<NonNullable<Config[K]>> : Config[K];
};
