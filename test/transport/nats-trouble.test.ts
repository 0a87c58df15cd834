import { connect, DiscardPolicy, type JetStreamManager } from 'nats';
import { expect, onTestFinished, test, vi } from 'vitest';
import { NatsEvents } from '../../src/transport/events/nats-events.js';
import { NatsLink } from '../../src/transport/events/nats-link.js';
import type { RunEvent } from '../../src/transport/events/run-event.js';
import { streamedEvents } from '../kit/event-stream.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';

const isMissing = natsMissing !== '';
const limitMs = 60_000;
const failing = 'NATS request failed; retrying at increasing intervals';

function event(sequence: number, checkpoint = `step ${sequence}`): RunEvent {
  return {
    run: 'r',
    term: 1,
    sequence,
    time: new Date(0).toISOString(),
    position: { iteration: 0, epoch: 0, step: 0, globalStep: sequence, phase: 'train' },
    type: 'checkpoint.written',
    checkpoint,
    bytes: 1,
    seconds: 0.5,
  };
}

/** A run's events on their way to a server in which something is wrong. */
async function start(options: {
  readonly configuration?: string;
  readonly hasJetStream?: boolean;
  readonly prepare?: (manager: JetStreamManager) => Promise<unknown>;
}) {
  const server = await NatsServer.start([], options.configuration);
  onTestFinished(() => server.remove());
  if (options.hasJetStream === false) {
    await server.kill();
    await server.start(false);
  }
  const connection = await connect({ servers: server.url });
  onTestFinished(() => connection.close());
  const manager = () => connection.jetstreamManager();
  await options.prepare?.(await manager());
  const lines: unknown[][] = [];
  const write = (...line: unknown[]) => void lines.push(line);
  const link = new NatsLink(server.settings, 'test', { info: write, warn: write, error: write });
  onTestFinished(() => link.close());
  /** When a request failed. */
  const failedAtMs: number[] = [];
  const failed = link.failed.bind(link);
  vi.spyOn(link, 'failed').mockImplementation((what, error) => {
    failedAtMs.push(performance.now());
    failed(what, error);
  });
  const events = new NatsEvents({ link, run: 'r', term: 1, capacity: 100, earlier: [] });
  onTestFinished(() => events.close());
  return { server, events, manager, lines, failedAtMs };
}

const ofFailures = (lines: unknown[][]) => lines.filter(([message]) => message === failing);
const recovered = ['NATS requests succeed again', { what: 'events' }];

/** Waits for four failures in a row, and checks that they come at longer intervals and are said once. */
async function saidOnce(
  { lines, failedAtMs }: { lines: unknown[][]; failedAtMs: number[] },
  trouble: { readonly reason: string; readonly remedy: string },
): Promise<void> {
  await vi.waitFor(() => expect(failedAtMs.length).toBeGreaterThanOrEqual(4), limitMs / 2);
  expect(ofFailures(lines)).toEqual([[failing, { what: 'events', ...trouble }]]);
  const waits = failedAtMs.slice(1).map((ms, i) => ms - failedAtMs[i]!);
  // Timers are never early, but for the rounding of a millisecond.
  for (const [i, leastMs] of [250, 500, 1_000].entries()) expect(waits[i]).toBeGreaterThan(leastMs - 2);
}

test.skipIf(isMissing)(
  `a server without JetStream is said once, and gets everything once it has it${natsMissing}`,
  { timeout: limitMs },
  async () => {
    const world = await start({ hasJetStream: false });
    world.events.publish(event(1));
    await saidOnce(world, {
      reason: 'JetStream is not enabled (503, no responders)',
      remedy: 'start nats-server with -js, or with jetstream in its configuration',
    });
    await world.server.kill();
    await world.server.start();
    await vi.waitFor(() => expect(world.lines).toContainEqual(recovered), limitMs / 2);
    expect(await streamedEvents(world.server.url)).toEqual([event(1)]);
  },
);

test.skipIf(isMissing)(
  `a stream of other subjects that overlap is said once${natsMissing}`,
  { timeout: limitMs },
  async () => {
    const other = { name: 'OTHER', subjects: ['fcaenet.>'] };
    const world = await start({ prepare: (manager) => manager.streams.add(other) });
    world.events.publish(event(1));
    await saidOnce(world, {
      reason: 'subjects overlap with an existing stream',
      remedy:
        'remove fcaenet.events.> from every other stream (`nats stream ls --subject "fcaenet.>"` lists them), or use a separate account',
    });
    await (await world.manager()).streams.delete('OTHER');
    await vi.waitFor(() => expect(world.lines).toContainEqual(recovered), limitMs / 2);
    expect(await streamedEvents(world.server.url)).toEqual([event(1)]);
  },
);

test.skipIf(isMissing)(`a full stream is said once${natsMissing}`, { timeout: limitMs }, async () => {
  const full = {
    name: 'FCAENET_EVENTS',
    subjects: ['fcaenet.events.>'],
    max_msgs: 1,
    discard: DiscardPolicy.New,
  };
  const world = await start({ prepare: (manager) => manager.streams.add(full) });
  for (const sequence of [1, 2]) world.events.publish(event(sequence));
  await saidOnce(world, {
    reason: 'maximum messages exceeded',
    remedy:
      'raise the limits of the stream or of JetStream, or let the stream discard its oldest messages (`nats stream edit FCAENET_EVENTS --discard=old`)',
  });
  await (await world.manager()).streams.update('FCAENET_EVENTS', { max_msgs: -1 });
  await vi.waitFor(() => expect(world.lines).toContainEqual(recovered), limitMs / 2);
  expect(await streamedEvents(world.server.url)).toEqual([event(1), event(2)]);
});

test.skipIf(isMissing).each([
  ['the server’s max_payload', 'max_payload: 1024', undefined, 'max_payload is 1024 bytes'],
  [
    'the stream’s bound',
    '',
    (manager: JetStreamManager) =>
      manager.streams.add({ name: 'FCAENET_EVENTS', subjects: ['fcaenet.events.>'], max_msg_size: 1024 }),
    'message size exceeds maximum allowed',
  ],
])(
  `events above %s are passed over, and that is said once${natsMissing}`,
  {
    timeout: limitMs,
  },
  async (_, configuration, prepare, bound) => {
    const world = await start({ configuration, ...(prepare && { prepare }) });
    const large = 'x'.repeat(2_000);
    for (const each of [event(1), event(2, large), event(3), event(4, large), event(5)]) {
      world.events.publish(each);
    }
    await vi.waitFor(() => expect(world.events.counts).toEqual({ published: 3, lost: 2 }), limitMs / 2);
    expect(ofFailures(world.lines)).toEqual([
      [
        failing,
        {
          what: 'large events',
          reason: `an event exceeds the server's size limit (${bound})`,
          remedy: 'raise that limit; such events are only in events.jsonl',
        },
      ],
    ]);
    expect(await streamedEvents(world.server.url)).toEqual([event(1), event(3), event(5)]);
  },
);
