/** Which tokens end an answer. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import { readJsonObject } from '../formats/json.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';

/**
 * `eos_token_id` of generation_config.json and config.json, and the tokenizer's own `eos_token`: the end of a turn
 * is among them however a folder spells it.
 */
export async function endTokens(
  modelDir: string,
  config: Qwen2VLConfig,
  tokenizer: Pick<ChatTokenizer, 'eosToken' | 'specialTokens'>,
): Promise<Set<number>> {
  const named =
    tokenizer.eosToken === undefined ? undefined : tokenizer.specialTokens.get(tokenizer.eosToken);
  return new Set([
    ...(await generationEnds(join(modelDir, 'generation_config.json'))),
    ...config.eosTokenIds,
    ...(named === undefined ? [] : [named]),
  ]);
}

async function generationEnds(file: string): Promise<number[]> {
  if (!existsSync(file)) return [];
  const { eos_token_id: ends } = await readJsonObject(file, 'checkpoint', 1024 * 1024);
  return (Array.isArray(ends) ? ends : [ends]).filter((id): id is number => Number.isSafeInteger(id));
}
