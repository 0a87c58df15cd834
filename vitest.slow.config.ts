import { defineConfig } from 'vitest/config';
import everyTest from './vitest.config.js';

/** Whole runs that take tens of seconds: `npm run test:slow`, and a part of `.ci/run`. */
export default defineConfig({
  test: { ...everyTest.test, include: ['test/slow/**/*.test.ts'], exclude: ['node_modules/**'] },
});
