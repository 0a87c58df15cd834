import { openConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { EncoderProcesses } from '../inference/encoder-processes.js';
import { encodingDevices } from '../inference/encoding-devices.js';
import { sayDifferences, sayRejected } from '../inference/open-encoder.js';
import { type CheckpointChoice, readTrainedRun } from '../inference/trained-run.js';
import { type Address, formatAddress } from '../run/address.js';
import type { EngineName } from '../run/training-run.js';
import { type DatabaseOptions, openDatabase } from '../search/database.js';
import { Searcher } from '../search/searcher.js';
import { readJoinToken } from '../transport/join-token.js';
import { readTlsFiles } from '../transport/tls-files.js';
import { requireProtection } from './guard.js';
import type { ServingLimits } from './limits.js';
import { ServingMetrics } from './metrics.js';
import { Places } from './places.js';
import { SearchService } from './search-service.js';
import { SearchServer } from './server.js';

/** Small pictures that are made or wait, of all clients and of one: a page shows up to a hundred. */
const thumbnailLimits = { most: 512, perClient: 128 };
const closeGraceMs = 10_000;

export interface ServeOptions extends DatabaseOptions {
  readonly runDirectory: string;
  readonly checkpoint: CheckpointChoice;
  /** Undefined takes the run's. */
  readonly engine: 'auto' | EngineName | undefined;
  /** Processes that encode. */
  readonly workers: number;
  readonly listen: Address;
  /** Undefined asks for no token. */
  readonly tokenFile: string | undefined;
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  readonly plainText: boolean;
  readonly limits: ServingLimits;
}

/**
 * `fcaenet serve`: answers searches over HTTP until it is interrupted.
 * @throws ServingError, InferenceError, SearchError, FormatError, TransportError of token and certificates
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { listen, limits, workers } = options;
  const token = options.tokenFile === undefined ? null : readJoinToken(options.tokenFile, {});
  const { tls: files, plainText } = options;
  requireProtection(listen.host, formatAddress(listen.host, listen.port), {
    ...{ token, hasTls: files !== undefined, plainText },
  });
  const tls = files ? readTlsFiles({ ...files, authority: files.certificate }) : null;
  const { log } = openConsole('beside');
  const run = await readTrainedRun(options.runDirectory, options.checkpoint);
  sayRejected(run, log);
  const searcher = new Searcher(await openDatabase(run, options, log));
  const { encoder, differences } = await EncoderProcesses.open({
    ...{ runDirectory: run.directory, checkpoint: run.checkpoint, engine: options.engine ?? null },
    ...{ processes: workers, devices: await encodingDevices(run, options.engine) },
    ...{ timeoutMs: limits.encodeMs, restarts: true, mostPixels: limits.pixels },
  });
  // Until here a signal ends this process at once: the processes that encode may end by the same signal.
  const interrupted = new Promise<void>((resolve) => void onInterrupt(() => resolve()));
  try {
    sayDifferences(differences, log);
    const { perClient, waiting } = limits;
    const places = new Places({ most: encoder.requests + waiting, perClient });
    const metrics = new ServingMetrics(searcher, places);
    const { size, bits } = searcher.database;
    const server = await SearchServer.listen(listen, {
      ...{ metrics, places, limits, bits, token, tls, log },
      service: new SearchService(encoder, searcher, run.checkpoint, metrics),
      thumbnailPlaces: new Places(thumbnailLimits),
      isReady: () => encoder.isReady,
    });
    log.info('serving', {
      ...{ url: server.url, checkpoint: run.checkpoint, bits, codes: size },
      indexBytes: searcher.index.memoryBytes,
    });
    await interrupted;
    log.info('closing', { url: server.url });
    await server.close(closeGraceMs);
  } finally {
    await encoder.close();
  }
}
