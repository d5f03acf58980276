import { checkData } from '../check/check-data.ts';
import type { DataCheck } from '../check/data-check.ts';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { createEncoder, encoderSettings } from './encoder.ts';
import type { CheckEvent, DataSummary } from './events.ts';

export interface CheckOptions {
  /** Ends the check at the next row; `checked` then never comes. */
  signal?: AbortSignal;
}

/** The check is over and a run could begin. */
export interface CheckedEvent {
  type: 'checked';
  data: { train: DataSummary; validation?: DataSummary };
  check: DataCheck;
}

/**
 * The check that stands before every run, alone: reads every row, decodes every picture, holds the labels to what the
 * assistant says, and tells what it found. Of the model it needs tokenizer, chat template, preprocessor and config.json,
 * no weights; of the disk it writes nothing. It works in the thread of its caller, which gets a turn every 50 ms.
 *
 * `config` comes from `loadConfig` or is written in place; its relative paths are then relative to the working directory.
 *
 * @throws LorikeetError for anything that a run could not get past: `code` says which.
 */
export async function* check(
  config: LoadedConfig | ConfigInput,
  { signal }: CheckOptions = {},
): AsyncGenerator<CheckEvent | CheckedEvent> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const encoder = await createEncoder(encoderSettings(loaded.config));
  const checked = yield* checkData(loaded.config.data, encoder, () => signal?.aborted ?? false);
  if (!checked) return;
  const { train, validation } = checked;
  const data = { train: train.survey.summary, validation: validation?.survey.summary };
  yield { type: 'checked', data, check: checked.check };
}
