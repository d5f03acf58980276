/** The published tokenizer, template and preprocessor of Qwen2-VL, beside the repository where it is present. */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const published = fileURLToPath(new URL('../../../shared/models/qwen2-vl/', import.meta.url));
export const hasPublished = existsSync(published);

/** Puts them into a model folder that is there. */
export function copyPublished(model: string): void {
  const files = [
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
    'preprocessor_config.json',
  ];
  for (const file of files) copyFileSync(join(published, file), join(model, file));
}
