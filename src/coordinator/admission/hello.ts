import { shortDigest } from '../../errors.js';
import type { Identity } from '../../identity/identity.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { Hello__Output } from '../../transport/generated/fcaenet/v1/Hello.js';
import { isJoinToken, joinTokenVariable } from '../../transport/join-token.js';
import { protocolVersion } from '../../transport/service.js';
import type { WorkerPool } from '../dispatch/pool.js';

/** What is known of the run when a worker joins. */
export interface Admission {
  readonly run: TrainingRun;
  readonly term: number;
  readonly datasetFingerprint: string;
  readonly classCount: number;
  /** The run's numerical identity; null before its first worker sets it. */
  readonly identity: Identity | null;
  /** Version of the fcaenet that started the run; null when its checkpoints do not say. */
  readonly version: string | null;
}

/** Why a worker is refused. */
export interface HelloFault {
  readonly code: string;
  /** Names the value and what was expected. */
  readonly message: string;
}

/**
 * Checks protocol version and join token before anything is sent to a peer.
 * @param joinToken the token it must send; null when none is required
 * @returns null when both are right
 */
export function peerFault(hello: Hello__Output, joinToken: string | null): HelloFault | null {
  if (hello.protocolVersion !== protocolVersion) {
    return {
      code: 'PROTOCOL_VERSION',
      message:
        `the worker speaks protocol version ${hello.protocolVersion}, the coordinator ${protocolVersion}; ` +
        `upgrade fcaenet on the ${hello.protocolVersion < protocolVersion ? "worker's" : "coordinator's"} machine`,
    };
  }
  if (joinToken !== null && !isJoinToken(joinToken, hello.joinToken)) {
    if (hello.joinToken !== '') {
      return {
        code: 'JOIN_TOKEN_WRONG',
        message: "the worker's join token is wrong: it must be the run's",
      };
    }
    return {
      code: 'JOIN_TOKEN_MISSING',
      message: `the worker has no join token, but the run requires one (--join-token-file or ${joinTokenVariable})`,
    };
  }
  return null;
}

/**
 * Checks a worker's hello.
 * @param joinToken the token it must send; null when none is required
 * @returns null when the worker may continue
 */
export function helloFault(
  hello: Hello__Output,
  { run, datasetFingerprint }: Admission,
  joinToken: string | null,
  pool: WorkerPool,
): HelloFault | null {
  const faultOfPeer = peerFault(hello, joinToken);
  if (faultOfPeer !== null) return faultOfPeer;
  if (hello.datasetFingerprint !== datasetFingerprint) {
    return {
      code: 'DATASET_FINGERPRINT',
      message: `the worker's dataset has fingerprint ${shortDigest(hello.datasetFingerprint)}, the run's ${shortDigest(datasetFingerprint)}: both need the same images (byte for byte), labels and splits`,
    };
  }
  const { maxWorkers } = run.spec.operation.membership;
  if (pool.all().length >= maxWorkers) {
    return {
      code: 'TOO_MANY_WORKERS',
      message: `the run already has ${maxWorkers} workers, the limit of spec.operation.membership.maxWorkers`,
    };
  }
  const instance = instanceOf(hello);
  const fault = pool.whySetAside(instance);
  if (fault !== null) return { code: 'SET_ASIDE', message: `the worker was set aside: ${fault}` };
  const earlier = pool.all().find(({ instanceId }) => instanceId === instance);
  if (earlier && earlier.session >= hello.session) {
    return {
      code: 'SESSION_SUPERSEDED',
      message: `the worker opened session ${hello.session}, but its session ${earlier.session} is already open`,
    };
  }
  return null;
}

/** Random for each start of the worker process; cut to a limit. */
export function instanceOf(hello: Hello__Output): string {
  return hello.instanceId.slice(0, 64);
}

/** The worker's name for itself, cut to a limit and made safe for a log. */
export function nameOf(hello: Hello__Output): string {
  return hello.workerName.slice(0, 100).replace(/[^\w.:-]/g, '_');
}
