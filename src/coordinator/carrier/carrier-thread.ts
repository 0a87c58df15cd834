import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../clock.js';
import { closeLostConnections } from '../../transport/lost-connections.js';
import { receivedIdentity } from '../../transport/peers/identity.js';
import { TransferMemory } from '../../transport/transfer-memory.js';
import { MemoryNames } from '../lane/known-memory.js';
import type { CarrierAnswer, CarrierOptions, CarrierRequest } from './messages.js';
import { RangeLink } from './range-link.js';

/** The thread that carries ranges between the coordinator and workers. */
const port = parentPort!;
const { identity, ...shape } = workerData as CarrierOptions;
const options: CarrierOptions = { ...shape, identity: receivedIdentity(identity) };

/** Unused memory that is kept for sums, in bytes. */
const keptBytes = 8 << 20;
const memory = new TransferMemory<SharedArrayBuffer>(
  { bytes: keptBytes },
  (byteLength) => new SharedArrayBuffer(byteLength),
);
const names = new MemoryNames(answer);
const links = new Map<number, RangeLink>();
/** What ends the reading of a sum, by the number that the other side knows it by. */
const reading = new Map<number, () => void>();
let lastArrived = 0;

closeLostConnections();
port.on('message', (request: CarrierRequest) => {
  if (request.kind === 'connect') connect(request);
  else if (request.kind === 'send') links.get(request.connection)?.send(request.messages);
  else if (request.kind === 'done') {
    reading.get(request.id)!();
    reading.delete(request.id);
  } else {
    links.get(request.connection)?.close();
    links.delete(request.connection);
  }
});

function connect({ connection, peer, connectMs }: Extract<CarrierRequest, { kind: 'connect' }>): void {
  const link = new RangeLink(peer, options, { connectMs }, systemClock, memory, {
    onOpened: () => answer({ kind: 'opened', connection }),
    onLost: (reason, isRefused) => {
      links.delete(connection);
      answer({ kind: 'lost', connection, reason, isRefused });
    },
    onLeft: () => {
      if (links.get(connection) === link) answer({ kind: 'left', connection });
    },
    onArrived: ({ sum, ...arrival }, done) => {
      const id = ++lastArrived;
      reading.set(id, done);
      answer({ kind: 'arrived', connection, id, place: names.placeOf(sum), ...arrival });
    },
  });
  links.set(connection, link);
}

function answer(message: CarrierAnswer): void {
  port.postMessage(message);
}
