import { basename, join } from 'node:path';
import { firstFew } from '../console/first-few.js';
import { quote, shorten } from '../errors.js';
import { namesIn } from '../run/presence.js';
import { defaultOperation } from '../run/presets.js';
import { readTrainingRun } from '../run/read.js';
import { RunDirectory } from '../run/run-directory.js';
import { runName } from '../run/schema.js';
import type { NatsSettings } from '../run/training-run.js';
import { type ControlRequest, controlReplySchema } from '../transport/control/message.js';
import { askNats } from '../transport/control/nats.js';
import { askControlSocket } from '../transport/control/socket.js';
import { TransportError } from '../transport/error.js';

const runsDirectory = defaultOperation.runsDirectory;

/** A run that a command names, and the way to its coordinator. */
export class AddressedRun {
  private constructor(
    readonly name: string,
    /** Null when only its name is known, which is enough for NATS. */
    readonly directory: RunDirectory | null,
    /** The server to ask; null uses the socket in the run directory, or else the run's own server. */
    private readonly nats: string | null,
  ) {}

  /**
   * @param run its name or directory; undefined selects the only active run in runs/
   * @param nats the server to ask; undefined uses the socket in the run directory, or else the run's own server
   * @throws TransportError TRANSPORT_CONTROL_UNREACHABLE when there is no such run, or not exactly one
   */
  static find(run: string | undefined, nats: string | undefined): AddressedRun {
    const directory = directoryOf(run, nats !== undefined);
    return new AddressedRun(directory === null ? run! : basename(directory.path), directory, nats ?? null);
  }

  /**
   * Sends a request to the coordinator. @returns the fields of its answer
   * @throws TransportError TRANSPORT_CONTROL_UNREACHABLE when no coordinator answers, TRANSPORT_CONTROL_REFUSED with its
   * reason, TRANSPORT_BAD_MESSAGE for an invalid answer
   */
  async ask(request: ControlRequest): Promise<Readonly<Record<string, unknown>>> {
    const { name, directory, nats } = this;
    let answer: string;
    try {
      answer = await ask(directory, name, nats, JSON.stringify(request));
    } catch (cause) {
      if (cause instanceof TransportError) throw cause;
      throw new TransportError(
        'TRANSPORT_CONTROL_UNREACHABLE',
        unanswered(nats === null ? directory : null, name, cause),
        { cause },
      );
    }
    const reply = parseReply(answer, name);
    if (!reply.ok && reply.code === 'CONTROL_BUSY') {
      throw new TransportError(
        'TRANSPORT_CONTROL_UNREACHABLE',
        `run ${name} is busy with other requests; try again`,
      );
    }
    if (!reply.ok)
      throw new TransportError(
        'TRANSPORT_CONTROL_REFUSED',
        `run ${name} refused the request: ${shorten(reply.message)}`,
      );
    const { ok: _, ...fields } = reply;
    return fields;
  }
}

/** Why nobody answers: of a run on this machine its own files say whether it is active. */
function unanswered(directory: RunDirectory | null, name: string, cause: unknown): string {
  if (directory?.isRun && !directory.isLocked) {
    const state = directory.readResult() === null ? 'was interrupted' : 'has finished';
    return `run ${name} ${state}, and only an active run answers requests; npx fcaenet runs list shows its position`;
  }
  return `no coordinator of run ${name} answers (${(cause as Error).message}); only an active run answers requests`;
}

function ask(
  directory: RunDirectory | null,
  name: string,
  url: string | null,
  text: string,
): Promise<string> {
  const settings = natsSettings(directory, url);
  if (directory !== null && url === null && (settings === null || directory.isControlled)) {
    return askControlSocket(directory.controlSocket, text);
  }
  return askNats(settings!, name, text);
}

/** The run's own settings, with another server if one is given. */
function natsSettings(directory: RunDirectory | null, url: string | null): NatsSettings | null {
  const own = directory?.isRun
    ? readTrainingRun(directory.runFile).spec.operation.nats
    : defaultOperation.nats;
  const settings = { ...own, url: url ?? own.url };
  return settings.url === null ? null : settings;
}

/** The run's directory; null when only its name is known, which is enough for NATS. */
function directoryOf(run: string | undefined, hasServer: boolean): RunDirectory | null {
  if (run === undefined) return theOneThatGoesOn();
  const found = [run, join(runsDirectory, run)]
    .map((path) => RunDirectory.at(path))
    .find(({ isRun }) => isRun);
  if (found !== undefined) return found;
  if (hasServer) return null;
  throw new TransportError(
    'TRANSPORT_CONTROL_UNREACHABLE',
    `there is no run ${run}: neither ${run} nor ${join(runsDirectory, run)} is a run’s directory`,
  );
}

function theOneThatGoesOn(): RunDirectory {
  const goingOn: RunDirectory[] = [];
  const unreadable: unknown[] = [];
  for (const name of namesIn(runsDirectory)) {
    const directory = RunDirectory.at(join(runsDirectory, name));
    try {
      if (directory.isControlled) goingOn.push(directory);
    } catch (error) {
      // Other names are not runs, such as lost+found, which only root may read.
      if (runName.test(name)) unreadable.push(error);
    }
  }
  // A killed coordinator leaves its socket behind. The lock of one that did not run for long looks abandoned.
  const active = goingOn.filter(({ isLocked }) => isLocked);
  if (active.length === 1) return active[0]!;
  if (active.length === 0 && goingOn.length === 1) return goingOn[0]!;
  if (goingOn.length === 0 && unreadable.length > 0) throw unreadable[0];
  const found = firstFew(active.map(({ path }) => basename(path)));
  throw new TransportError(
    'TRANSPORT_CONTROL_UNREACHABLE',
    active.length === 0
      ? `no run is active in ${runsDirectory}; name one elsewhere with --run`
      : `several runs are active in ${runsDirectory} (${found}); name one with --run`,
  );
}

function parseReply(text: string, name: string) {
  try {
    return controlReplySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new TransportError(
      'TRANSPORT_BAD_MESSAGE',
      `run ${name} answered ${quote(text)}, expected one JSON object`,
      { cause },
    );
  }
}
