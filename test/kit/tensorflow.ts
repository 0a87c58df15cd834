import { existsSync } from 'node:fs';

/** Whether the engine `tensorflow` is set up here (`npm run setup:tensorflow`). */
export const hasTensorflow = ['tfjs-node', 'tfjs-node-gpu'].some((name) =>
  existsSync(`node_modules/@tensorflow/${name}/lib/napi-v8/tfjs_binding.node`),
);

/** For the name of what is skipped. */
export const withoutTensorflow = hasTensorflow ? '' : ' (skipped: run `npm run setup:tensorflow`)';
