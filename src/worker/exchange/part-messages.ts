import type { PeerMessage } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { chunksOf } from '../../transport/tensor-stream.js';
import type { OutgoingPart } from './output.js';

/** The messages that carry a part: its announcement and its chunks. Its bytes are read when they are asked for. */
export function* messagesOf(part: OutgoingPart, transferId: number): Generator<PeerMessage> {
  const transfer = { id: transferId, byteLength: part.bytes.byteLength };
  if (part.kind === 'node') {
    const { position, node, range } = part;
    yield { nodeRange: { position, node, range, transfer } };
  } else yield { weightsRange: { version: part.version, range: part.range, transfer } };
  for (const chunk of chunksOf(transferId, [part.bytes])) yield { chunk };
}
