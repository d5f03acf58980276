import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedRun, writeRun } from '../report/generated-run.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';
import { runCommand } from '../support/command.ts';

const written = () => writeRun(join(temporaryFolder(), 'run'), generatedRun());

describe('lorikeet watch', () => {
  it('prints one address, serves the run there and ends well at Ctrl-C', async () => {
    let answered: Promise<number> | undefined;
    const { code, stdout, stderr } = await runCommand(['watch', written(), '--port', '0'], {
      onOutput(text, child) {
        const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(text)?.[0];
        if (!url || answered) return;
        answered = fetch(url).then(({ status }) => {
          // Twice, as it comes through npx.
          child.kill('SIGINT');
          child.kill('SIGINT');
          return status;
        });
      },
    });
    expect(await answered).toBe(200);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\S*run is shown at http:\/\/127\.0\.0\.1:\d+\/\n$/);
    expect(stderr).toBe('Ctrl-C ends it; the run goes on by itself.\n');
  });

  it.each([
    ['no folder', [], /a run folder expected, got none/],
    ['a folder that is no run', ['.'], /a run folder .* expected, got one with/],
    ['a folder that is not there', ['nowhere'], /a run folder expected, got no such folder/],
    [
      'a port that is none',
      ['.', '--port', 'http'],
      /--port expected a whole number from 0 to 65535, got http/,
    ],
    ['a port beyond the last', ['.', '--port', '65536'], /got 65536/],
  ])('refuses %s in one line', async (_, args, told) => {
    const { code, stdout, stderr } = await runCommand(['watch', ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(told);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});
