import type { IncomingMessage } from 'node:http';
import { quote } from '../errors.js';
import { foreignOrigin } from '../live/serve/guard.js';
import { isLoopback, parseAddress } from '../run/address.js';
import { isJoinToken } from '../transport/join-token.js';
import { ServingError } from './error.js';
import { Refusal } from './refusal.js';

/** How a server is protected. */
export interface Protection {
  /** Null asks for none. */
  readonly token: string | null;
  readonly hasTls: boolean;
  /** Whether a proxy in front of it has TLS. */
  readonly plainText: boolean;
}

/**
 * Refuses to listen beyond loopback without a token, or in plain text unless that is asked for.
 * @throws ServingError SERVING_TOKEN_MISSING, SERVING_PLAIN_TEXT_REFUSED
 */
export function requireProtection(host: string, address: string, protection: Protection): void {
  if (isLoopback(host)) return;
  if (protection.token === null) {
    throw new ServingError(
      'SERVING_TOKEN_MISSING',
      `--listen is ${address}, which other machines may reach, but there is no --token-file; "npx fcaenet certs make certs --name HOST" makes a token and certificates`,
    );
  }
  if (!protection.hasTls && !protection.plainText) {
    throw new ServingError(
      'SERVING_PLAIN_TEXT_REFUSED',
      `--listen is ${address}, which other machines may reach, but there are no --tls-certificate and --tls-key; behind a proxy that has TLS, add --plain-text`,
    );
  }
}

/**
 * Refuses requests that a page of another origin makes with a user's browser. Without a token, the name in `Host` must be
 * that of this machine: a page may have given its own name this machine's address.
 * @throws Refusal 403
 */
export function requireOwnOrigin({ headers }: IncomingMessage, token: string | null): void {
  const { host = '' } = headers;
  const name = parseAddress(host)?.host ?? parseAddress(`${host}:0`)?.host ?? '';
  if (token === null && !isLoopback(name)) {
    throw new Refusal(403, 'foreign_origin', `the host ${quote(host)} is not this machine's loopback`);
  }
  const foreign = foreignOrigin(headers);
  if (foreign === null) return;
  throw new Refusal(
    403,
    'foreign_origin',
    `the request comes from ${foreign}, but only this server's page may send requests`,
  );
}

/** @throws Refusal 401 unless the request has the token, where one is asked for */
export function requireToken({ headers }: IncomingMessage, token: string | null): void {
  if (token === null) return;
  const offered = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (offered !== undefined && isJoinToken(token, offered)) return;
  const what = offered === undefined ? 'there is no token' : 'the token is wrong';
  throw new Refusal(401, 'unauthorized', `${what}, expected the header "Authorization: Bearer TOKEN"`, {
    'www-authenticate': 'Bearer',
  });
}
