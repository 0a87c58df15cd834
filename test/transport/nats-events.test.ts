import { connect } from 'nats';
import { expect, onTestFinished, test } from 'vitest';
import { NatsEvents } from '../../src/transport/events/nats-events.js';
import { NatsLink } from '../../src/transport/events/nats-link.js';
import type { RunEvent } from '../../src/transport/events/run-event.js';
import { streamedEvents } from '../kit/event-stream.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const run = 'a.b';

function event(sequence: number, term = 1): RunEvent {
  return {
    run,
    term,
    sequence,
    time: new Date(0).toISOString(),
    position: { iteration: 0, epoch: 0, step: 0, globalStep: sequence, phase: 'train' },
    type: 'checkpoint.written',
    checkpoint: `step ${sequence}`,
    bytes: 1,
    seconds: 0.5,
  };
}
const numbered = (count: number, term = 1) => Array.from({ length: count }, (_, i) => event(i + 1, term));

async function start() {
  const server = await NatsServer.start();
  onTestFinished(() => server.remove());
  const open = (options: { earlier?: RunEvent[]; capacity?: number; term?: number } = {}) => {
    const link = new NatsLink(server.settings, 'test', silent);
    onTestFinished(() => link.close());
    const { earlier = [], capacity = 1000, term = 1 } = options;
    return { link, events: new NatsEvents({ link, run, term, capacity, earlier }) };
  };
  return { server, open };
}

const isMissing = natsMissing !== '';

test.skipIf(isMissing)(`events arrive in order, under the run's subject${natsMissing}`, async () => {
  const { server, open } = await start();
  const { link, events } = open();
  // At its end nobody waits for a server that is not reached.
  await link.get(30_000);
  for (const each of numbered(50)) events.publish(each);
  await events.close();
  expect(await streamedEvents(server.url)).toEqual(numbered(50));
  expect(events.counts).toEqual({ published: 50, lost: 0 });
  const connection = await connect({ servers: server.url });
  const manager = await connection.jetstreamManager();
  const subject = { last_by_subj: 'fcaenet.events.a=2Eb.checkpoint.written' };
  expect((await manager.streams.getMessage('FCAENET_EVENTS', subject)).header.get('Nats-Msg-Id')).toBe(
    'a.b/1/50',
  );
  await connection.close();
});

test.skipIf(isMissing)(
  `a server killed and started again has each event once, in order${natsMissing}`,
  async () => {
    const { server, open } = await start();
    const { link, events } = open();
    let sequence = 0;
    const publishing = setInterval(() => events.publish(event(++sequence)), 5);
    onTestFinished(() => clearInterval(publishing));
    const reached = async (count: number) => {
      while (events.counts.published < count) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await reached(20);
    await server.kill();
    const acknowledged = events.counts.published;
    while (link.connected) await new Promise((resolve) => setTimeout(resolve, 10));
    await server.start();
    await reached(acknowledged + 50);
    clearInterval(publishing);
    await events.close();
    expect(await streamedEvents(server.url)).toEqual(numbered(sequence));
    expect(events.counts).toEqual({ published: sequence, lost: 0 });
  },
);

test.skipIf(isMissing)(
  `a server that has all but the last acknowledgements gets nothing twice${natsMissing}`,
  async () => {
    const { server, open } = await start();
    const first = open();
    await first.link.get(30_000);
    for (const each of numbered(5)) first.events.publish(each);
    await first.events.close();
    // Of a crashed coordinator: the file has what the stream lacks, and what it has.
    const { link, events } = open({ earlier: numbered(8), term: 2 });
    await link.get(30_000);
    events.publish(event(1, 2));
    await events.close();
    expect(await streamedEvents(server.url)).toEqual([...numbered(8), event(1, 2)]);
    expect(events.counts).toEqual({ published: 1, lost: 0 });
  },
);

test.skipIf(isMissing)(
  `without a server events are kept within the bound and the rest counted as lost${natsMissing}`,
  async () => {
    const { server, open } = await start();
    await server.kill();
    const { events } = open({ capacity: 10 });
    for (const each of numbered(25)) events.publish(each);
    expect(events.counts).toEqual({ published: 0, lost: 15 });
    await server.start();
    while (events.counts.published < 10) await new Promise((resolve) => setTimeout(resolve, 10));
    await events.close();
    expect((await streamedEvents(server.url)).map(({ sequence }) => sequence)).toEqual([
      1, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    ]);
    expect(events.counts).toEqual({ published: 10, lost: 15 });
  },
);

test.skipIf(isMissing)(`what a server never took is lost at the end, and counted${natsMissing}`, async () => {
  const { server, open } = await start();
  await server.kill();
  const { events } = open();
  for (const each of numbered(3)) events.publish(each);
  await events.close();
  expect(events.counts).toEqual({ published: 0, lost: 3 });
});
