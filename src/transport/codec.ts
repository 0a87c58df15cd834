import { emptyChecksum, verifyChecksum, writeChecksum } from './checksum.js';
import { definition } from './definition.js';
import type { CoordinatorMessage } from './generated/fcaenet/v1/CoordinatorMessage.js';
import type { TrainingDefinition } from './generated/fcaenet/v1/Training.js';

const { Join: plain } = definition['fcaenet.v1.Training'] as unknown as TrainingDefinition;
/** The service with a checksum at the end of every message. It is checked before a message is decoded. */
export const service: TrainingDefinition = {
  Join: {
    ...plain,
    requestSerialize: (message) => writeChecksum(plain.requestSerialize({ ...message, ...emptyChecksum })),
    requestDeserialize: (bytes) => plain.requestDeserialize(verifyChecksum(bytes)),
    responseSerialize: (message) => writeChecksum(plain.responseSerialize({ ...message, ...emptyChecksum })),
    responseDeserialize: (bytes) => plain.responseDeserialize(verifyChecksum(bytes)),
  },
};

/** Encodes a message once, so that it can be sent to many workers. */
export function encodeCoordinatorMessage(message: CoordinatorMessage): Buffer {
  return service.Join.responseSerialize(message);
}
