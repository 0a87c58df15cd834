import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';

/** The services and messages of `proto/`. */
export const definition = loadSync(fileURLToPath(new URL('../../proto/training.proto', import.meta.url)), {
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: true,
});
