import { expect, it } from 'vitest';
import { createCounter } from '../../src/cli/counter.ts';

function counted(isTTY: boolean, times: number[]): string {
  let text = '';
  let clock = 0;
  const screen = {
    isTTY,
    write: (part: string) => {
      text += part;
    },
  };
  const counter = createCounter(screen, () => clock);
  times.forEach((time, done) => {
    clock = time;
    counter.tell('rows', done, 10);
  });
  counter.clear();
  return text;
}

it('is silent for two seconds, then says what is left', () => {
  expect(counted(true, [0, 0.5, 1.9])).toBe('');
  expect(counted(true, [0, 1, 4])).toBe('rows 2/10  about 16 s left\r\x1b[2K');
});

it('rewrites its line where somebody looks, and writes few where nobody does', () => {
  expect(counted(true, [0, 3, 4])).toBe(
    'rows 1/10  about 27 s left\r\x1b[2Krows 2/10  about 16 s left\r\x1b[2K',
  );
  expect(counted(false, [0, 3, 4, 5, 14])).toBe('rows 1/10  about 27 s left\nrows 4/10  about 21 s left\n');
});
