import { ExitCode, FcaenetError } from '../errors.js';
import type { EncodeAnswer, EncodeRequest, FailureDescription } from './encode-messages.js';
import { type Encoder, LocalEncoder } from './encoder.js';
import { TrainedNetwork } from './trained-network.js';
import { readTrainedRun } from './trained-run.js';

/**
 * A process that encodes pictures for its parent. It ends with its parent, and a picture that crashes the decoder ends
 * nothing else.
 */
let encoder: Encoder | null = null;

function answer(message: EncodeAnswer): void {
  process.send?.(message);
}

function describe(error: unknown): FailureDescription {
  if (error instanceof FcaenetError) {
    const { code, message, exitCode } = error;
    return { code, message, exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: null, message, exitCode: ExitCode.failed };
}

async function load(request: EncodeRequest & { kind: 'load' }): Promise<void> {
  const run = await readTrainedRun(request.runDirectory, request.checkpoint);
  const trained = await TrainedNetwork.load(run, request.engine ?? undefined);
  encoder = new LocalEncoder(trained, request.mostPixels);
  answer({ kind: 'ready', engine: trained.engineName, differences: trained.differences });
}

process.on('message', (request: EncodeRequest) => {
  if (request.kind === 'load') {
    load(request).catch((error) => answer({ kind: 'failed', id: null, ...describe(error) }));
    return;
  }
  const { id, pictures } = request;
  encoder!.encode(pictures).then(
    (codes) => answer({ kind: 'codes', id, codes }),
    (error) => answer({ kind: 'failed', id, ...describe(error) }),
  );
});
// The parent decides when a process ends, also at a terminal's Ctrl-C.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.once('disconnect', () => process.exit());
