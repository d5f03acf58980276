import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks', // ONNX Runtime's threads stay out of the test runner's own
    maxWorkers: 2,
    testTimeout: 120_000,
    globalSetup: 'test/support/own-cache.ts',
  },
});
