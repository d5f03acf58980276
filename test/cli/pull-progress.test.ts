import { describe, expect, it } from 'vitest';
import { createPullProgress } from '../../src/cli/pull-progress.ts';

const plan = {
  type: 'plan',
  id: 'Qwen/Tiny',
  revision: 'main',
  commit: '0123456789abcdef0123456789abcdef01234567',
  files: 3,
  bytes: 4_000_000_000,
  here: 0,
} as const;
const arrived = (here: number) => {
  return { type: 'progress', file: 'model.safetensors', here, bytes: plan.bytes } as const;
};

function told(isTTY: boolean, columns?: number) {
  let seconds = 100;
  let text = '';
  const screen = {
    isTTY,
    columns,
    write: (more: string) => {
      text += more;
    },
  };
  const progress = createPullProgress(screen, () => seconds);
  return {
    progress,
    pass: (more: number) => {
      seconds += more;
    },
    take: () => {
      const taken = text;
      text = '';
      return taken;
    },
  };
}

describe('the progress of a pull', () => {
  it('says first what there is to fetch', () => {
    const { progress, take } = told(false);
    progress.show(plan);
    expect(take()).toBe('Qwen/Tiny, main at 0123456789ab: 3 files, 4.00 GB\n');
    progress.show({ ...plan, here: 1_500_000 });
    expect(take()).toBe('Qwen/Tiny, main at 0123456789ab: 3 files, 4.00 GB, 1.50 MB of it here already\n');
    progress.show({ ...plan, here: plan.bytes });
    expect(take()).toMatch(/, all of it here already\n$/);
  });

  it('tells total, rate and time left on a line that rewrites itself', () => {
    const { progress, pass, take } = told(true, 200);
    progress.show(plan);
    take();
    pass(10);
    progress.show(arrived(500_000_000)); // 50 MB/s, and 3.5 GB to go
    expect(take()).toBe('500.0 MB of 4.00 GB  50.0 MB/s, about 1 min 10 s left  model.safetensors');
    pass(0.1);
    progress.show(arrived(505_000_000));
    expect(take()).toBe('');
    pass(10);
    progress.show(arrived(1_510_000_000)); // 1.01 GB in the last 10.1 s: longer ago than 20 s is forgotten
    expect(take()).toContain('1.51 GB of 4.00 GB  100.0 MB/s, about 25 s left');
    progress.end();
    expect(take()).toBe('\r\x1b[2K');
  });

  it('fits a narrow terminal', () => {
    const { progress, pass, take } = told(true, 30);
    progress.show(plan);
    take();
    pass(10);
    progress.show(arrived(500_000_000));
    expect(take()).toHaveLength(29);
  });

  it('counts what was here before for nothing, and a file that begins anew neither', () => {
    const { progress, pass, take } = told(true, 200);
    progress.show({ ...plan, here: 3_000_000_000 });
    pass(10);
    take();
    progress.show(arrived(3_100_000_000));
    expect(take()).toContain('  10.0 MB/s, about 1 min 30 s left');
    pass(1);
    progress.show(arrived(3_000_000_000));
    expect(take()).not.toContain('/s,');
    pass(2);
    progress.show(arrived(3_040_000_000));
    expect(take()).toContain('  20.0 MB/s, about 48 s left');
  });

  it('writes a line now and then where there is no terminal, and every wait', () => {
    const { progress, pass, take } = told(false);
    progress.show(plan);
    take();
    progress.show(arrived(10));
    expect(take()).toBe('');
    pass(11);
    progress.show(arrived(1_100_000_000));
    expect(take()).toBe('1.10 GB of 4.00 GB  100.0 MB/s, about 29 s left  model.safetensors\n');
    progress.show({ type: 'wait', seconds: 7, reason: 'the hub asks to wait (429)' });
    expect(take()).toBe('Waiting 7 s: the hub asks to wait (429).\n');
  });
});
