import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type TransportErrorCode =
  | 'TRANSPORT_PORT_IN_USE'
  | 'TRANSPORT_CANNOT_LISTEN'
  | 'TRANSPORT_UNREACHABLE'
  | 'TRANSPORT_BAD_MESSAGE'
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
  TRANSPORT_DAMAGED: exit.protocol,
  TRANSPORT_NATS_SETTINGS: exit.badConfiguration,
  TRANSPORT_NATS_LEASE_HELD: exit.cannotCreate,
  TRANSPORT_CONTROL_UNREACHABLE: exit.unavailable,
  TRANSPORT_CONTROL_REFUSED: exit.failed,
};

/** What goes wrong between two processes: addresses, ports, streams and the shape of messages. */
export class TransportError extends FcaenetError {
  override readonly name = 'TransportError';

  constructor(code: TransportErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
