import * as grpc from '@grpc/grpc-js';
import { emptyChecksum, writeChecksum } from '../../../src/transport/checksum.js';
import { definition } from '../../../src/transport/definition.js';
import type {
  PeeringClient,
  PeeringDefinition,
} from '../../../src/transport/generated/fcaenet/v1/Peering.js';

/** What gRPC itself makes of the service between workers, in plain text. */
export function grpcClient(address: string): PeeringClient {
  const { Send } = definition['fcaenet.v1.Peering'] as unknown as PeeringDefinition;
  const Client = grpc.makeClientConstructor(
    {
      Send: {
        ...Send,
        requestSerialize: (message) => writeChecksum(Send.requestSerialize({ ...message, ...emptyChecksum })),
      },
    },
    'fcaenet.v1.Peering',
  );
  return new Client(address, grpc.ChannelCredentials.createInsecure()) as unknown as PeeringClient;
}
