import { defineConfig } from 'vitest/config';
import { settings } from './vitest.settings.js';

/** Whole runs that take tens of seconds: `npm run test:slow`, and a part of `.ci/run`. */
export default defineConfig({
  test: { ...settings, include: ['test/slow/**/*.test.ts'], exclude: ['node_modules/**'] },
});
