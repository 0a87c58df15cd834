import { withConsole } from '../../console/console.js';
import { onInterrupt } from '../../console/interrupt.js';
import { BoundedServer } from '../../live/serve/bounded-server.js';
import { sendSentence } from '../../live/serve/reply.js';
import { RunPage } from '../../live/serve/run-page.js';
import { TransportError } from '../../transport/error.js';
import { FolderRuns } from './folder-runs.js';

export interface UiOptions {
  /** A folder of runs, or one run's directory. */
  readonly folder: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/**
 * `fcaenet ui`: the page for the runs of a folder, on loopback, until Ctrl-C.
 * @throws RunFileError RUN_ABSENT, TransportError TRANSPORT_PORT_IN_USE, TRANSPORT_CANNOT_LISTEN
 */
export function showUi({ folder, port }: UiOptions): Promise<void> {
  return withConsole('beside', async ({ log }) => {
    const page = new RunPage(await FolderRuns.open(folder, log), []);
    const server = await BoundedServer.listen({ host: '127.0.0.1', port }, async (request, response) => {
      const path = (request.url ?? '/').split('?')[0]!;
      if (await page.answer(path, request, response)) return;
      sendSentence(request, response, 404, 'there are / and /api/runs');
    }).catch((error: NodeJS.ErrnoException) => {
      throw listenError(error, port);
    });
    await new Promise<void>((resolve) => {
      onInterrupt(() => resolve());
      log.info('page of the runs; Ctrl-C ends it', { url: `http://${server.address}/`, folder });
    });
    await page.close();
    await server.close();
  });
}

function listenError(error: NodeJS.ErrnoException, port: number): TransportError {
  return error.code === 'EADDRINUSE'
    ? new TransportError(
        'TRANSPORT_PORT_IN_USE',
        `port ${port} on 127.0.0.1 is in use; choose another with --port, or omit it to take a free one`,
        { cause: error },
      )
    : new TransportError(
        'TRANSPORT_CANNOT_LISTEN',
        `the page cannot be served on 127.0.0.1:${port} (${error.code ?? error.message})`,
        { cause: error },
      );
}
