import type { Command } from 'commander';
import type { Address } from '../run/address.js';
import { defaultLimits, type ServingLimits } from '../serving/limits.js';
import { addTrainedRunOptions, type TrainedRunFlags } from './encode.js';
import { addExamples, addWorkersOption, listeningAddress, wholeNumber } from './options.js';
import { addDatabaseOptions, type DatabaseFlags } from './search.js';
import { UsageError } from './usage.js';

export interface ServeOptions {
  readonly runDirectory: string;
  readonly checkpoint: string;
  readonly engine: TrainedRunFlags['engine'];
  readonly database: string | undefined;
  readonly data: string | undefined;
  readonly workers: number;
  readonly listen: Address;
  readonly tokenFile: string | undefined;
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  readonly plainText: boolean;
  readonly limits: ServingLimits;
}

interface ServeFlags extends TrainedRunFlags, DatabaseFlags {
  readonly listen?: Address;
  readonly workers?: number;
  readonly tokenFile?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly plainText: boolean;
  readonly maxUpload: number;
  readonly maxPixels: number;
  readonly queue: number;
  readonly perClient: number;
}

const loopback: Address = { host: '127.0.0.1', port: 8080 };

/** `fcaenet serve`: searches over HTTP. */
export function registerServe(program: Command, serve: (options: ServeOptions) => Promise<void>): void {
  const command = program.command('serve').description('answer searches for the nearest pictures over HTTP');
  addTrainedRunOptions(command).option(
    '--listen <host:port>',
    'where to listen (default: 127.0.0.1:8080); port 0 takes a free one',
    listeningAddress,
  );
  addDatabaseOptions(command);
  addWorkersOption(command, 'processes that encode (default: 1)');
  command
    .option('--token-file <file>', 'file with the token that requests must have; needed beyond loopback')
    .option('--tls-certificate <file>', 'the server’s certificate; needed beyond loopback')
    .option('--tls-key <file>', 'its key')
    .option('--plain-text', 'listen beyond loopback without TLS, behind a proxy that has TLS', false)
    .option(
      '--max-upload <mebibytes>',
      'most bytes of a picture',
      wholeNumber(1, 1024),
      defaultLimits.uploadBytes / 2 ** 20,
    )
    .option(
      '--max-pixels <millions>',
      'most pixels of a picture, checked before it is decoded',
      wholeNumber(1, 250),
      defaultLimits.pixels / 1e6,
    )
    .option('--queue <count>', 'searches that may wait', wholeNumber(0, 10_000), defaultLimits.waiting)
    .option(
      '--per-client <count>',
      'searches of one address at once',
      wholeNumber(1, 10_000),
      defaultLimits.perClient,
    );
  addExamples(command, [
    'npx fcaenet serve runs/quick',
    'npx fcaenet serve runs/cub --listen 0.0.0.0:8443 --token-file certs/join-token --tls-certificate certs/coordinator/tls.crt --tls-key certs/coordinator/tls.key',
  ]);
  command.action(async (runDirectory: string, flags: ServeFlags) => {
    const { checkpoint, engine, database, data, tokenFile, plainText } = flags;
    const { listen = loopback, workers = 1 } = flags;
    const limits = {
      ...defaultLimits,
      uploadBytes: flags.maxUpload * 2 ** 20,
      pixels: flags.maxPixels * 1e6,
      waiting: flags.queue,
      perClient: flags.perClient,
    };
    await serve({
      ...{ runDirectory, checkpoint, engine, database, data, workers },
      ...{ listen, tokenFile, tls: tlsOf(flags), plainText, limits },
    });
  });
}

function tlsOf({ tlsCertificate: certificate, tlsKey: key }: ServeFlags): ServeOptions['tls'] {
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  if (certificate === undefined && key === undefined) return undefined;
  throw new UsageError(
    certificate === undefined
      ? '--tls-key needs --tls-certificate too'
      : '--tls-certificate needs --tls-key too',
  );
}
