import type { Identity } from '../../identity/identity.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { Hello__Output } from '../../transport/generated/fcaenet/v1/Hello.js';
import { isJoinToken, joinTokenVariable } from '../../transport/join-token.js';
import { protocolVersion } from '../../transport/service.js';
import type { WorkerPool } from '../dispatch/pool.js';

/** What must be known of the run to admit workers. */
export interface Admission {
  readonly run: TrainingRun;
  readonly term: number;
  readonly datasetFingerprint: string;
  readonly classCount: number;
  /** The run's numerical identity; null where its first worker sets it. */
  readonly identity: Identity | null;
  /** Of the fcaenet that began the run; null where its checkpoints do not say. */
  readonly version: string | null;
}

/** Why a worker is not admitted. */
export interface HelloFault {
  readonly code: string;
  /** Names the value and what was expected. */
  readonly message: string;
}

/**
 * Checks that a peer is a worker of this run, before anything is said to it.
 * @param joinToken what it must show; null asks for none
 * @returns null where it is
 */
export function strangerFault(hello: Hello__Output, joinToken: string | null): HelloFault | null {
  if (hello.protocolVersion !== protocolVersion) {
    return {
      code: 'PROTOCOL_VERSION',
      message:
        `the worker speaks protocol version ${hello.protocolVersion}, the coordinator ${protocolVersion}; ` +
        `upgrade fcaenet where the ${hello.protocolVersion < protocolVersion ? 'worker' : 'coordinator'} runs`,
    };
  }
  if (joinToken !== null && !isJoinToken(joinToken, hello.joinToken)) {
    if (hello.joinToken !== '') {
      return { code: 'JOIN_TOKEN_WRONG', message: "the worker has another join token than the run's" };
    }
    return {
      code: 'JOIN_TOKEN_MISSING',
      message: `the worker has no join token, but the run asks for one (--join-token-file or ${joinTokenVariable})`,
    };
  }
  return null;
}

/**
 * Checks what a worker says of itself first.
 * @param joinToken what it must show; null asks for none
 * @returns null where it may go on
 */
export function helloFault(
  hello: Hello__Output,
  { run, datasetFingerprint }: Admission,
  joinToken: string | null,
  pool: WorkerPool,
): HelloFault | null {
  const stranger = strangerFault(hello, joinToken);
  if (stranger !== null) return stranger;
  if (hello.datasetFingerprint !== datasetFingerprint) {
    return {
      code: 'DATASET_FINGERPRINT',
      message: `the worker's dataset has fingerprint ${short(hello.datasetFingerprint)}, the run's ${short(datasetFingerprint)}: both need the same images, byte by byte, labels and split`,
    };
  }
  const { maxWorkers } = run.spec.operation.membership;
  if (pool.all().length >= maxWorkers) {
    return {
      code: 'TOO_MANY_WORKERS',
      message: `the run already has ${maxWorkers} workers, as many as spec.operation.membership.maxWorkers allows`,
    };
  }
  const instance = instanceOf(hello);
  const fault = pool.whySetAside(instance);
  if (fault !== null) return { code: 'SET_ASIDE', message: `the worker was set aside: ${fault}` };
  const earlier = pool.all().find(({ instanceId }) => instanceId === instance);
  if (earlier && earlier.session >= hello.session) {
    return {
      code: 'SESSION_SUPERSEDED',
      message: `the worker opened session ${hello.session}, but its session ${earlier.session} is there already`,
    };
  }
  return null;
}

/** Drawn at each start of the worker process; bounded. */
export function instanceOf(hello: Hello__Output): string {
  return hello.instanceId.slice(0, 64);
}

/** What a worker calls itself, bounded and in letters that are safe in a log. */
export function nameOf(hello: Hello__Output): string {
  return hello.workerName.slice(0, 100).replace(/[^\w.:-]/g, '_');
}

function short(digest: string): string {
  return `${digest.slice(0, 12)}…`;
}
