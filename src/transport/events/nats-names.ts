// Apart from what needs the NATS client, which only processes with a server load.

/** Time limit of a request to the server. */
export const natsTimeoutMs = 2_000;

/** A run's name as one token of a subject or key. Dots separate tokens, and a run's name contains no `=`. */
export function runToken(run: string): string {
  return run.replaceAll('.', '=2E');
}
