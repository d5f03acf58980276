import { LorikeetError } from '../errors.ts';

/** What a command was told of its config: the file, and words that go before the file's. */
export interface ConfigWords {
  file: string;
  set: string[];
}

/**
 * `--set a=1 vqa.yaml` takes the file for one of its own words; it is the one without an equals sign.
 *
 * @param command as it is typed, for the remedy: `train`.
 */
export function configWords(command: string, file: string | undefined, set: string[] = []): ConfigWords {
  if (file !== undefined) return { file, set };
  const found = set.findLast((word) => !word.includes('='));
  if (found === undefined) {
    throw new LorikeetError('config', {
      what: 'a config file expected, got none',
      fix: `Name it: lorikeet ${command} FILE.yaml. \`lorikeet train --help\` shows the smallest one.`,
    });
  }
  return { file: found, set: set.filter((word) => word !== found) };
}
