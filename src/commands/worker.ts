import type { Command } from 'commander';
import { defaultOperation } from '../run/presets.js';
import type { WorkOptions } from '../worker/command.js';
import { addExamples, addJoinTokenOption, dialledAddress, wholeNumber } from './options.js';
import { UsageError } from './usage.js';

interface Flags {
  readonly connect: string;
  readonly proxy?: string;
  readonly connectTimeout: number;
  readonly reconnectTimeout: number;
  readonly data: string;
  readonly cache: string;
  readonly cacheLimitBytes: number;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly tlsAuthority?: string;
  readonly joinTokenFile?: string;
  readonly name?: string;
  readonly expectRestart: boolean;
}

/** `fcaenet worker`: computes microbatches for a coordinator until the run ends. */
export function registerWorker(program: Command, work: (options: WorkOptions) => Promise<void>): void {
  const command = program
    .command('worker')
    .description('compute for a coordinator; it may start later than the worker')
    .requiredOption('--connect <host:port>', 'address of the coordinator', dialledAddress)
    .requiredOption('--data <dir>', 'the dataset on this machine')
    .option(
      '--proxy <host:port>',
      'HTTP proxy on the way to it (default: none; the environment is ignored)',
      dialledAddress,
    )
    .option('--connect-timeout <seconds>', 'time limit for the first connection', wholeNumber(1, 86_400), 30)
    .option(
      '--reconnect-timeout <seconds>',
      'time limit to reconnect when it is gone, 0 does not try',
      wholeNumber(0, 604_800),
      600,
    )
    .option('--cache <dir>', 'folder of decoded images', defaultOperation.cache.directory)
    .option(
      '--cache-limit-bytes <count>',
      'size limit of that folder in bytes',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
      defaultOperation.cache.limitBytes,
    )
    .option('--tls-certificate <file>', 'this worker’s certificate (PEM); requires the next two')
    .option('--tls-key <file>', 'its key')
    .option('--tls-authority <file>', 'the authority of the coordinator’s certificate')
    .option('--name <name>', 'name of this worker in logs (default: host name and process id)')
    .option('--expect-restart', 'exit with code 75 instead of 0 on SIGTERM before the end of the run', false);
  addJoinTokenOption(command);
  addExamples(command, ['npx fcaenet worker --connect 127.0.0.1:7400 --data data/CUB_200_2011']);
  command.action(async (options: Flags) => {
    const { connect, data, cache: directory, cacheLimitBytes: limitBytes, name, expectRestart } = options;
    await work({
      connect,
      proxy: options.proxy ?? null,
      connectTimeoutSeconds: options.connectTimeout,
      reconnectTimeoutSeconds: options.reconnectTimeout,
      data,
      cache: { directory, limitBytes },
      tls: tlsOf(options),
      joinTokenFile: options.joinTokenFile,
      name,
      expectRestart,
    });
  });
}

function tlsOf({ tlsCertificate, tlsKey, tlsAuthority }: Flags): WorkOptions['tls'] {
  if (tlsCertificate !== undefined && tlsKey !== undefined && tlsAuthority !== undefined) {
    return { certificate: tlsCertificate, key: tlsKey, authority: tlsAuthority };
  }
  if (tlsCertificate === undefined && tlsKey === undefined && tlsAuthority === undefined) return undefined;
  throw new UsageError('--tls-certificate, --tls-key and --tls-authority must be given together');
}
