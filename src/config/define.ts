import type { ConfigInput } from './schema.ts';

/** Gives a config written in TypeScript its types: `export default defineConfig({ model: ..., ... })`. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
