import type { Http2Session } from 'node:http2';

/** Pings in the time after which silence means that the other side is gone. */
const pings = 6;

/**
 * Pings the other side of a connection until it has closed. Time in which this thread is blocked is no silence of the other.
 * @param silenceMs without an answer, after which `onSilent` is called, once
 */
export function keepAlive(session: Http2Session, silenceMs: number, onSilent: () => void): void {
  let unanswered = 0;
  const timer = setInterval(() => {
    if (session.destroyed) return;
    if (unanswered === pings - 1) {
      clearInterval(timer);
      onSilent();
      return;
    }
    unanswered++;
    session.ping((error) => {
      if (!error) unanswered = 0;
    });
  }, silenceMs / pings);
  session.once('close', () => clearInterval(timer));
}
