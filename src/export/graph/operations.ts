import type { NetworkLayout } from '../../model/layout.js';
import { ExportError } from '../error.js';
import { attendedPicture } from './attended-picture.js';
import { hashLayers } from './hash-layers.js';
import { type NetworkOperation, networkInput, networkOutput } from './operation.js';
import { Walk } from './walk.js';

/**
 * A network as a list of operations in the order of their execution, for the writers of other programs' graphs. It has the
 * operations of `Network.forwardEval`.
 * @throws ExportError `EXPORT_METHOD` for a network with a tensor that none of them takes
 */
export function networkOperations(layout: NetworkLayout): NetworkOperation[] {
  const { height, width, layers, head } = layout;
  const walk = new Walk(layout);
  const picture = { name: networkInput, height, width, channels: 3 };
  const seen = head.attention ? attendedPicture(walk, head.attention, picture) : picture;
  const maps = walk.layersOneByOne(layers, seen);
  const hash = hashLayers[head.name](walk, maps, layout);
  walk.add({ kind: 'tanh', name: networkOutput, input: hash });
  checkComplete(layout, walk.operations);
  return walk.operations;
}

/** A graph without some of the network's layers would give other codes. */
function checkComplete({ parameters }: NetworkLayout, operations: readonly NetworkOperation[]): void {
  const taken = new Set(operations.flatMap((operation) => Object.values<unknown>({ ...operation })));
  const left = parameters.find((parameter) => !taken.has(parameter));
  if (left === undefined) return;
  throw new ExportError(
    'EXPORT_METHOD',
    `the network has the tensor ${left.name} of a layer that the formats onnx and tfjs cannot hold; safetensors and torch export its tensors`,
  );
}
