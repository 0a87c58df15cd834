import type { Log } from '../../console/log.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { serveControlSocket } from '../../transport/control/socket.js';
import type { NatsLink } from '../../transport/events/nats-link.js';
import type { Leadership } from './leadership.js';
import type { RunControl } from './run-control.js';

export interface ControlServiceOptions {
  readonly run: string;
  readonly control: RunControl;
  readonly directory: RunDirectory;
  readonly leadership: Leadership;
  readonly link: NatsLink | null;
  readonly log: Log;
}

/** Opens a run's control: a socket in its directory, and NATS if a server is configured. */
export async function openControl(options: ControlServiceOptions): Promise<{ close(): Promise<void> }> {
  const { run, control, directory, leadership, link, log } = options;
  const answer = control.answer.bind(control);
  if (link !== null) {
    const { serveNatsControl } = await import('../../transport/control/nats.js');
    serveNatsControl(link, run, answer, () => leadership.isHeld());
  }
  try {
    const socket = await serveControlSocket(directory.controlSocket, answer);
    return { close: () => socket.close(leadership.isHeld()) };
  } catch (error) {
    // Not every file system supports sockets. A run without control is better than no run.
    log.warn('cannot open the control socket', {
      path: directory.controlSocket,
      reason: (error as Error).message,
    });
    return { close: async () => {} };
  }
}
