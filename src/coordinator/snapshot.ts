import type { CodeSummary } from '../hashing/similarity.js';
import { bytesOf } from '../transport/bytes.js';
import { encodeCoordinatorMessage } from '../transport/service.js';
import { byteLengthOf, chunksOf } from '../transport/tensor-stream.js';
import type { Member } from './member.js';

/** Weights and running statistics, as flat vectors in the layout's order. */
export interface FlatWeights {
  readonly parameters: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** The messages that carry one version of the weights, encoded once for all workers; a copy, not a view. */
export function encodeWeights(term: number, version: number, weights: FlatWeights): WeightsMessages {
  const parts = [weights.parameters, weights.mean, weights.variance].map(bytesOf);
  // Transfer ids are the sender's own; a worker has one weights transfer open at a time.
  const id = version >>> 0;
  const header = { term, weights: { version, transfer: { id, byteLength: byteLengthOf(parts) } } };
  const chunks = [...chunksOf(id, parts)].map((chunk) => encodeCoordinatorMessage({ term, chunk }));
  return { version, messages: [encodeCoordinatorMessage(header), ...chunks] };
}

/** One version of the weights, encoded once for all workers. */
export interface WeightsMessages {
  readonly version: number;
  readonly messages: readonly Buffer[];
}

/** Sends these weights to a worker that has not got them yet; resolves when they are handed to its stream. */
export function sendWeights(member: Member, { version, messages }: WeightsMessages): Promise<void> {
  if (member.weightsVersion === version) return Promise.resolve();
  member.weightsVersion = version;
  return member.outbox.sendAll(messages);
}

/** What a step needs to know of V, as a message; encoded once for all workers. */
export interface IterationMessage {
  readonly iteration: number;
  readonly message: Buffer;
}

/** Sends the iteration's context to a worker that has not got it yet. */
export function sendContext(member: Member, { iteration, message }: IterationMessage): void {
  if (member.contextIteration === iteration) return;
  member.contextIteration = iteration;
  void member.outbox.send(message);
}

/** The message that carries what an iteration's steps need to know of V. */
export function encodeContext(term: number, iteration: number, summary: CodeSummary): IterationMessage {
  const message = encodeCoordinatorMessage({
    term,
    iterationContext: {
      iteration,
      databaseSize: summary.databaseSize,
      ratio: summary.ratio,
      gram: Buffer.from(bytesOf(summary.gram)),
      classSums: Buffer.from(bytesOf(summary.classSums)),
      total: Buffer.from(bytesOf(summary.total)),
      classSizes: Buffer.from(bytesOf(summary.classSizes)),
    },
  });
  return { iteration, message };
}
