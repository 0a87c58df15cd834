import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { ClientWritableStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { gatherPath, scatterPath } from '../../../src/transport/carrying.js';
import { framePrefix } from '../../../src/transport/frames.js';
import type { PeerMessage } from '../../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import { encodeFrame, peeringPath, peerReceiveWindow } from '../../../src/transport/peering.js';
import { protocolVersion } from '../../../src/transport/service.js';
import type { PeerLimits } from '../../../src/worker/peering/peer-server.js';
import { grpcClient } from './grpc-client.js';
import { ExchangeWorker, shape, until } from './worker.js';

let worker: ExchangeWorker;
afterEach(() => worker.peering.close());

/** Member 2, who knows member 1. @returns what member 1 must say first */
async function openReceiver(limits: Partial<PeerLimits> = {}): Promise<PeerMessage> {
  worker = await ExchangeWorker.open({ member: 2, tls: null, limits });
  const { peering, key, peer } = worker;
  peering.setPeers([{ ...peer, member: 1, address: '127.0.0.1:1' }, peer]);
  return { hello: { protocolVersion, run: 'birds', term: 1, member: 1, key } };
}

describe('a stream of gRPC', () => {
  /** What a receiver answers to someone who knows its key and says this. */
  async function answerTo(say: (stream: ClientWritableStream<PeerMessage>, hello: PeerMessage) => void) {
    const hello = await openReceiver({ helloMs: 200, unknownMs: 200 });
    const client = grpcClient(worker.peer.address);
    const answer = new Promise<string>((resolve) => {
      say(
        client.send((error) => resolve(error?.details ?? 'fine')),
        hello,
      );
    });
    return answer.finally(() => client.close());
  }

  test('that says nothing ends', async () => {
    expect(await answerTo(() => {})).toBe('a peer said nothing for 200 ms, expected its hello');
  });

  test('that begins with another message ends', async () => {
    const answer = await answerTo((stream) => stream.write({ chunk: { transfer: 1, offset: 0 } }));
    expect(answer).toBe('a peer sent another message before its hello');
  });

  test('of another protocol version ends', async () => {
    const answer = await answerTo((stream, { hello }) =>
      stream.write({ hello: { ...hello, protocolVersion: 4 } }),
    );
    expect(answer).toBe(`a peer speaks protocol version 4, expected ${protocolVersion}`);
  });

  test('with a message that contradicts the run ends, and the worker does not', async () => {
    const answer = await answerTo((stream, hello) => {
      stream.write(hello);
      stream.write({ weightsRange: { version: 1, range: { start: 5, end: 4 } } });
    });
    expect(answer).toBe(`a range of weights names elements 5 to 4, expected a part of ${shape.weightCount}`);
    expect(worker.refusals).toEqual([answer]);
  });

  test('beside another of the same member ends', async () => {
    const hello = await openReceiver();
    const client = grpcClient(worker.peer.address);
    const answer = new Promise<string | undefined>((resolve) => {
      for (let opened = 0; opened < 2; opened++) client.send((error) => resolve(error?.details)).write(hello);
    });
    expect(await answer).toBe('member 1 has opened a second stream, but a peer needs only one');
    client.close();
  });
});

describe('a connection of HTTP/2', () => {
  let session: ClientHttp2Session;
  afterEach(() => session.destroy());

  /** Connects to a receiver; returns a stream to it, and what it must say first. */
  async function connectTo(limits: Partial<PeerLimits> = {}) {
    const hello = await openReceiver(limits);
    session = connect(`http://${worker.peer.address}`).on('error', () => {});
    await once(session, 'remoteSettings');
    return { hello, request: (path = peeringPath) => session.request({ ':method': 'POST', ':path': path }) };
  }

  const write = (stream: ClientHttp2Stream, message: PeerMessage) => {
    for (const piece of encodeFrame(message, false)) stream.write(piece);
  };

  /** Sends a range that has to wait, and far more than a window of it. */
  async function sendAhead({ hello, request }: Awaited<ReturnType<typeof connectTo>>) {
    const stream = request();
    stream.on('error', () => {});
    expect(session.state.remoteWindowSize).toBe(65_535);
    write(stream, hello);
    await until(() => session.state.remoteWindowSize! > peerReceiveWindow / 2);
    // The coordinator plans version 1 here, so version 9 is too early.
    worker.peering.exchange.planWeights({ version: 1, ranges: [] });
    const range = { start: 0, end: shape.weightCount };
    const transfer = { id: 1, byteLength: 4 * shape.weightCount };
    write(stream, { weightsRange: { version: 9, range, transfer } });
    stream.write(Buffer.alloc(4 * peerReceiveWindow));
    await until(() => session.socket.bytesWritten > peerReceiveWindow);
    return stream;
  }

  test('may send a window ahead after its hello, and no more while its range has to wait', async () => {
    const stream = await sendAhead(await connectTo());
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(session.socket.bytesWritten).toBeLessThan(1.1 * peerReceiveWindow);
    expect(stream.closed).toBe(false);
  });

  test('answers pings while a range has to wait', async () => {
    await sendAhead(await connectTo());
    await new Promise<void>((resolve, reject) => {
      session.ping((error) => (error ? reject(error) : resolve()));
    });
  });

  const endOf = async (stream: ClientHttp2Stream) => {
    const [headers] = await once(stream, 'response');
    return decodeURI(String(headers['grpc-message']));
  };

  test('ends with a hello that is too long, before it has come', async () => {
    const { request } = await connectTo();
    const stream = request();
    stream.write(framePrefix(65_537));
    expect(await endOf(stream)).toBe('a peer announces a message of 65537 bytes, expected 65536 at most');
  });

  test('ends with a later message that is too long, before it has come', async () => {
    const { hello, request } = await connectTo();
    const stream = request();
    write(stream, hello);
    stream.write(framePrefix((4 << 20) + 1));
    expect(await endOf(stream)).toBe('a peer announces a message of 4194305 bytes, expected 4194304 at most');
  });

  test('to another service ends', async () => {
    const { request } = await connectTo();
    expect(await endOf(request('/other'))).toBe(
      `a worker has no /other, expected ${peeringPath} or ${scatterPath} or ${gatherPath}`,
    );
  });

  test('without a stream is closed after a while, and one with a stream is not', async () => {
    const { hello, request } = await connectTo({ idleMs: 200 });
    const stream = request();
    stream.on('error', () => {});
    write(stream, hello);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(session.destroyed).toBe(false);
    stream.close();
    await until(() => session.destroyed);
  });
});
