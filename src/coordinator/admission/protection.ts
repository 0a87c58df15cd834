import { isLoopback, parseAddress } from '../../run/address.js';
import { joinTokenVariable } from '../../transport/join-token.js';
import type { TlsMaterial } from '../../transport/tls-files.js';
import { CoordinatorError } from '../error.js';

/** What the coordinator requires of workers; null requires nothing. */
export interface Protection {
  readonly tls: TlsMaterial | null;
  readonly joinToken: string | null;
}

/**
 * Refuses to listen beyond loopback without certificates or a join token, so that plain text never leaves the machine.
 * @param address HOST:PORT, checked by the run file's schema
 * @throws CoordinatorError COORDINATOR_PLAIN_TEXT_REFUSED, COORDINATOR_JOIN_TOKEN_MISSING
 */
export function requireProtection(address: string, { tls, joinToken }: Protection): void {
  const { host, port } = parseAddress(address)!;
  if (isLoopback(host)) return;
  const ending =
    `so the coordinator only listens on loopback, such as 127.0.0.1:${port}; ` +
    '"npx fcaenet certs make certs --name HOST" makes certificates and a token (docs/security.md)';
  if (tls === null) {
    throw new CoordinatorError(
      'COORDINATOR_PLAIN_TEXT_REFUSED',
      `spec.operation.listen is ${address}, but spec.operation.tls names no certificates, ${ending}`,
    );
  }
  if (joinToken === null) {
    throw new CoordinatorError(
      'COORDINATOR_JOIN_TOKEN_MISSING',
      `spec.operation.listen is ${address}, but there is no join token (--join-token-file or ${joinTokenVariable}), ${ending}`,
    );
  }
}
