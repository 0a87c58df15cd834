import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type TransportErrorCode =
  | 'TRANSPORT_PORT_IN_USE'
  | 'TRANSPORT_CANNOT_LISTEN'
  | 'TRANSPORT_UNREACHABLE'
  | 'TRANSPORT_BAD_MESSAGE'
  | 'TRANSPORT_TLS_FILE_UNREADABLE'
  | 'TRANSPORT_TLS_FILE_INVALID'
  | 'TRANSPORT_TLS_NOT_VALID_NOW'
  | 'TRANSPORT_TLS_KEY_MISMATCH'
  | 'TRANSPORT_JOIN_TOKEN_INVALID'
  | 'TRANSPORT_CERTIFICATES_EXIST'
  | 'TRANSPORT_CERTIFICATES_UNWRITABLE'
  | 'TRANSPORT_DAMAGED'
  | 'TRANSPORT_NATS_SETTINGS'
  | 'TRANSPORT_NATS_LEASE_HELD'
  | 'TRANSPORT_CONTROL_UNREACHABLE'
  | 'TRANSPORT_CONTROL_REFUSED';

const exitCodes: Record<TransportErrorCode, ExitCode> = {
  TRANSPORT_PORT_IN_USE: exit.unavailable,
  TRANSPORT_CANNOT_LISTEN: exit.unavailable,
  TRANSPORT_UNREACHABLE: exit.unavailable,
  TRANSPORT_BAD_MESSAGE: exit.protocol,
  TRANSPORT_TLS_FILE_UNREADABLE: exit.missingInput,
  TRANSPORT_TLS_FILE_INVALID: exit.badConfiguration,
  TRANSPORT_TLS_NOT_VALID_NOW: exit.badConfiguration,
  TRANSPORT_TLS_KEY_MISMATCH: exit.badConfiguration,
  TRANSPORT_JOIN_TOKEN_INVALID: exit.badConfiguration,
  TRANSPORT_CERTIFICATES_EXIST: exit.cannotCreate,
  TRANSPORT_CERTIFICATES_UNWRITABLE: exit.cannotCreate,
  TRANSPORT_DAMAGED: exit.protocol,
  TRANSPORT_NATS_SETTINGS: exit.badConfiguration,
  TRANSPORT_NATS_LEASE_HELD: exit.cannotCreate,
  TRANSPORT_CONTROL_UNREACHABLE: exit.unavailable,
  TRANSPORT_CONTROL_REFUSED: exit.failed,
};

/** A fault between two processes: addresses, ports, streams and the shape of messages. */
export class TransportError extends FcaenetError {
  override readonly name = 'TransportError';

  constructor(code: TransportErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
