import { parentPort, workerData } from 'node:worker_threads';
import { receivedIdentity } from '../../transport/peers/identity.js';
import { elementsOf } from '../exchange/elements.js';
import { Peering } from '../peering/peering.js';
import type { LaneAnswer, LaneOptions, LanePlan, LaneRequest } from './messages.js';

/**
 * The thread that exchanges gradients and weights with other workers. The worker's main thread cannot do it, because its
 * event loop is blocked while it computes a microbatch.
 */
const port = parentPort!;
const { identity, ...rest } = workerData as LaneOptions;
const options: LaneOptions = { ...rest, identity: receivedIdentity(identity) };
/** Relayed messages that the main thread has and has not sent yet; so many megabytes. */
const mostRelayed = 8;

/** Memory that the main thread reads, by the number that it knows it by. */
const lent = new Map<number, ArrayBufferLike>();
const gradients = new Map<ArrayBufferLike, number>();
let lastLent = 0;
let relayed = 0;
const waiting: (() => void)[] = [];

function answer(message: LaneAnswer, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

function lend(buffer: ArrayBufferLike): number {
  lent.set(++lastLent, buffer);
  return lastLent;
}

function take(peering: Peering, request: LaneRequest): void {
  if (request.kind === 'plan') follow(peering, request.message);
  else if (request.kind === 'weightsRange') peering.exchange.takeWeights(request.message, request.bytes);
  else if (request.kind === 'relayed') peering.takeRelayed(request.member, request.message);
  else if (request.kind === 'hold') {
    const { id, position, node, gradient } = request;
    gradients.set(gradient, id);
    peering.hold(position, node, elementsOf(new Uint8Array(gradient), options.shape.precision));
  } else if (request.kind === 'giveBack') {
    const buffer = lent.get(request.id)!;
    lent.delete(request.id);
    peering.giveBack(buffer);
  } else {
    relayed--;
    waiting.shift()?.();
  }
}

function follow(peering: Peering, { peers, weightsPlan, plan, reduce }: LanePlan): void {
  if (peers) peering.setPeers(peers.peers, peers.coordinator);
  if (weightsPlan) peering.exchange.planWeights(weightsPlan);
  if (plan) peering.exchange.planStep(plan);
  if (reduce) peering.exchange.reduce(reduce);
}

try {
  const peering = await Peering.open(options, {
    sum: (sum) => answer({ kind: 'sum', id: lend(sum.sum.buffer), sum }),
    weights: (version, bytes) => answer({ kind: 'weights', id: lend(bytes.buffer), version, bytes }),
    weightsMissing: (version, ranges) => answer({ kind: 'weightsMissing', version, ranges }),
    weightsLost: (version) => answer({ kind: 'weightsLost', version }),
    unreachable: (member, reason) => answer({ kind: 'unreachable', member, reason }),
    reached: (member) => answer({ kind: 'reached', member }),
    moved: (direction, bytes) => {
      options.traffic[direction === 'sentBytes' ? 0 : 1]! += bytes;
    },
    refused: (reason) => answer({ kind: 'refused', reason }),
    released: (gradient) => {
      answer({ kind: 'released', id: gradients.get(gradient)! });
      gradients.delete(gradient);
    },
    relay: (member, message) => {
      const copy = new Uint8Array(message);
      answer({ kind: 'relay', member, message: copy }, [copy.buffer]);
      return ++relayed < mostRelayed ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
    },
  });
  port.on('message', (request: LaneRequest) => {
    try {
      take(peering, request);
    } catch (error) {
      fail(error);
    }
  });
  answer({ kind: 'opened', port: peering.port });
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  answer({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
}
