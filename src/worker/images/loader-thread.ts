import { parentPort, workerData } from 'node:worker_threads';
import { DatasetError } from '../../data/error.js';
import { diskWatch } from '../../disk/watch.js';
import type { LoaderAnswer, LoaderOptions, LoaderRequest } from './messages.js';
import { openImageSource } from './source.js';

/**
 * The thread that reads, decodes, resizes and crops a worker's images. The worker's main thread cannot do it, because
 * its event loop is blocked while it computes a microbatch.
 */
const port = parentPort!;
const options = workerData as LoaderOptions;

function answer(message: LoaderAnswer, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

diskWatch.onOverdue = (overdue) => answer({ kind: 'overdue', ...overdue });
const onNotice = (message: string): void => answer({ kind: 'notice', message });
const sources = {
  train: await openImageSource({ ...options, split: 'train', onNotice }),
  test: await openImageSource({ ...options, split: 'test', onNotice }),
};

port.on('message', async (request: LoaderRequest) => {
  if (request.kind === 'close') {
    await Promise.all([sources.train.close(), sources.test.close()]);
    port.close();
    return;
  }
  const { split, indices, views } = request;
  if (request.kind === 'prefetch') {
    sources[split].prefetch(indices, views);
    return;
  }
  const { id } = request;
  try {
    const pixels = await sources[split].read(indices, views);
    const statistics = { train: { ...sources.train.statistics }, test: { ...sources.test.statistics } };
    answer({ kind: 'pixels', id, pixels, statistics }, [pixels.buffer]);
  } catch (error) {
    const code = error instanceof DatasetError ? error.code : undefined;
    answer({ kind: 'failed', id, code, message: error instanceof Error ? error.message : String(error) });
  }
});
answer({ kind: 'opened' });
