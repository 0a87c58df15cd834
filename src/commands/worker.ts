import { type Command, Option } from 'commander';
import type { HubOptions } from '../hub/command.js';
import { type Address, formatAddress, isLoopback } from '../run/address.js';
import { defaultOperation } from '../run/presets.js';
import type { WorkOptions } from '../worker/command.js';
import type { PeeringSettings } from '../worker/peering-place.js';
import {
  addDevicesOption,
  addExamples,
  addJoinTokenOption,
  advertisedAddress,
  type DeviceNames,
  dialledAddress,
  listeningAddress,
  wholeNumber,
} from './options.js';
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
  readonly peerListen?: Address;
  readonly advertise?: NonNullable<PeeringSettings['advertise']>;
  readonly name?: string;
  readonly expectRestart: boolean;
  readonly devices?: DeviceNames;
  readonly processes?: number;
  readonly planned: boolean;
}

export interface WorkerActions {
  work(options: WorkOptions): Promise<void>;
  workOnDevices(options: HubOptions): Promise<void>;
}

/** `fcaenet worker`: computes microbatches for a coordinator until the run ends. */
export function registerWorker(program: Command, actions: WorkerActions): void {
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
    .option(
      '--peer-listen <host:port>',
      'where to listen for other workers (default: a free port, of loopback in plain text, else of all addresses)',
      listeningAddress,
    )
    .option(
      '--advertise <host[:port]>',
      'where other workers reach this one (default: where its connection to the coordinator begins)',
      advertisedAddress,
    )
    .option('--name <name>', 'name of this worker in logs (default: host name and process id)')
    .option('--expect-restart', 'exit with code 75 instead of 0 on SIGTERM before the end of the run', false);
  addJoinTokenOption(command);
  addDevicesOption(
    command,
    'compute on each of these GPUs, as one worker: all, or numbers and UUIDs, as in 0,2; none computes on the processors (default: the first GPU if the engine can use it)',
  );
  command.option(
    '--processes <count>',
    'compute on the processors in so many processes, as one worker (default: 1)',
    wholeNumber(1, 256),
  );
  // `train` starts its local workers as one with it.
  command.addOption(new Option('--planned').default(false).hideHelp());
  addExamples(command, [
    'npx fcaenet worker --connect 127.0.0.1:7400 --data data/CUB_200_2011',
    'npx fcaenet worker --connect 127.0.0.1:7400 --data data/CUB_200_2011 --devices all',
  ]);
  command.action(async (options: Flags) => {
    const { connect, data, cache: directory, cacheLimitBytes: limitBytes, name, expectRestart } = options;
    const given = {
      connect,
      proxy: options.proxy ?? null,
      connectTimeoutSeconds: options.connectTimeout,
      reconnectTimeoutSeconds: options.reconnectTimeout,
      data,
      cache: { directory, limitBytes },
      tls: tlsOf(options),
      peering: peeringOf(options),
      joinTokenFile: options.joinTokenFile,
      name,
      expectRestart,
    };
    const on = hubDevicesOf(options);
    if (on !== null) await actions.workOnDevices({ ...given, on });
    else await actions.work({ ...given, hidesGpus: options.devices === 'none' });
  });
}

/** Null for a worker that computes itself. @throws UsageError for processes on GPUs */
function hubDevicesOf({ devices, processes, planned }: Flags): HubOptions['on'] | null {
  if (planned) return 'planned';
  const areNamed = devices !== undefined && devices !== 'auto' && devices !== 'none';
  if (areNamed && processes !== undefined) {
    throw new UsageError(
      `--processes ${processes} is for the processors, but --devices names GPUs, each of which has one process; give one of the two`,
    );
  }
  if (areNamed) return { devices };
  return processes === undefined ? null : { processes };
}

/** @throws UsageError for an address beyond loopback without certificates */
function peeringOf({ peerListen, advertise, tlsCertificate }: Flags): PeeringSettings {
  if (peerListen && tlsCertificate === undefined && !isLoopback(peerListen.host)) {
    throw new UsageError(
      `--peer-listen ${formatAddress(peerListen.host, peerListen.port)} is not a loopback address, but without --tls-certificate a worker listens for others only on loopback`,
    );
  }
  return { listen: peerListen ?? null, advertise: advertise ?? null };
}

function tlsOf({ tlsCertificate, tlsKey, tlsAuthority }: Flags): WorkOptions['tls'] {
  if (tlsCertificate !== undefined && tlsKey !== undefined && tlsAuthority !== undefined) {
    return { certificate: tlsCertificate, key: tlsKey, authority: tlsAuthority };
  }
  if (tlsCertificate === undefined && tlsKey === undefined && tlsAuthority === undefined) return undefined;
  throw new UsageError('--tls-certificate, --tls-key and --tls-authority must be given together');
}
