import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { TransportError } from './error.js';

/**
 * Environment variable that holds the join token when no file is named. It is not a command-line flag, because every
 * user of the machine can read those.
 */
export const joinTokenVariable = 'FCAENET_JOIN_TOKEN';

const [shortest, longest] = [16, 256];
const largestFileBytes = 1 << 16;

/** A random token: 256 bits in 43 characters. */
export function makeJoinToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Reads this process's token: from the file if one is named, otherwise from the environment, otherwise null.
 * @throws TransportError TRANSPORT_JOIN_TOKEN_INVALID; the message never contains the token
 */
export function readJoinToken(file: string | null, environment: NodeJS.ProcessEnv): string | null {
  if (file !== null) return checked(textOf(file), file);
  const token = environment[joinTokenVariable];
  return token === undefined ? null : checked(token, joinTokenVariable);
}

/** Whether a worker's token is the run's. The comparison takes constant time. */
export function isJoinToken(expected: string, offered: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(expected), digest(offered));
}

function textOf(file: string): string {
  try {
    return readInputFile(file, largestFileBytes).toString('utf8');
  } catch (cause) {
    throw new TransportError(
      'TRANSPORT_JOIN_TOKEN_INVALID',
      `the join token file ${file} ${whyUnread(cause)}`,
      { cause },
    );
  }
}

function checked(text: string, source: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= shortest && token.length <= longest) return token;
  throw new TransportError(
    'TRANSPORT_JOIN_TOKEN_INVALID',
    `the join token in ${source} has ${token.length} characters, expected ${shortest} to ${longest} letters, digits or signs without spaces`,
  );
}
