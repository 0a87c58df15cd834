import { parentPort } from 'node:worker_threads';
import { KnownMemory, type Place } from './known-memory.js';
import { advance, encode, euclideanNorm, VectorDigest } from './lane-work.js';
import type { LaneMessage, LaneRequest } from './requests.js';

/** A thread of a lane. A request that fails ends it. */
const port = parentPort!;
const memory = new KnownMemory();
const digest = new VectorDigest();

port.on('message', (message: LaneMessage) => {
  if (message.kind === 'memory' || message.kind === 'forget') memory.take(message);
  else answer(message);
});

function answer(request: LaneRequest): void {
  switch (request.kind) {
    case 'advance': {
      const { from, into, gradient, source, scalars, sending } = request;
      const messages = advance({
        from: { parameters: floatsAt(from.parameters), buffer: floatsAt(from.buffer) },
        into: { parameters: floatsAt(into.parameters), buffer: floatsAt(into.buffer) },
        gradient: memory.vectorAt(gradient),
        source: source && memory.vectorAt(source),
        scalars,
        sending,
      });
      port.postMessage(messages, buffersOf(messages ?? []));
      break;
    }
    case 'encode': {
      const messages = encode(request.sending, floatsAt(request.parameters), request.statistics);
      port.postMessage(messages, buffersOf(messages));
      break;
    }
    case 'copy':
      floatsAt(request.into).set(floatsAt(request.from));
      port.postMessage(null);
      break;
    case 'norm':
      port.postMessage(euclideanNorm(memory.vectorAt(request.vector)));
      break;
    case 'hash':
      digest.add(memory.vectorAt(request.vector), request.begins);
      port.postMessage(null);
      break;
    case 'digest':
      port.postMessage(digest.result());
  }
}

function floatsAt(place: Place): Float32Array {
  return memory.vectorAt(place) as Float32Array;
}

/** The memory of encoded messages, which the other side gets without a copy. Short ones share a buffer of Node's. */
function buffersOf(messages: readonly Buffer[]): ArrayBuffer[] {
  return messages
    .filter(({ buffer, byteLength }) => buffer.byteLength === byteLength)
    .map(({ buffer }) => buffer as ArrayBuffer);
}
