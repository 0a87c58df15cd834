import { fileURLToPath } from 'node:url';

/** Builds the page into dist/page, with fixed file names: entity tags tell a browser what has changed. */
export default {
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'warn',
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    // No code of the builder's inside the page, which its Content-Security-Policy would refuse.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: 'page.js', assetFileNames: 'page[extname]', codeSplitting: false },
    },
  },
};
