import { openConsole } from '../console/console.js';
import { print } from '../console/output.js';
import { AddressedRun } from './addressed-run.js';
import type { ControlOptions } from './control.js';
import { describeReply } from './show-reply.js';

/**
 * Sends a request to a run's coordinator and prints its answer: one JSON object, or readable text on a terminal. Throws
 * the errors of `AddressedRun`.
 */
export async function control({ request, run, nats, json }: ControlOptions): Promise<void> {
  const fields = await AddressedRun.find(run, nats).ask(request);
  const isForPeople = !json && openConsole('result').isTerminal;
  await print(isForPeople ? describeReply(fields) : `${JSON.stringify(fields)}\n`);
}
