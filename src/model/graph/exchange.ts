import type { Scalar, Tensor3D } from '@tensorflow/tfjs-core';
import { reshape, slice } from '../../engine/graph/operations.js';
import type { Feed } from '../../engine/graph/session.js';
import type { Tracer } from '../../engine/graph/trace.js';
import type { Exchange } from '../exchnet/exchange.js';
import type { ExchangeTensors } from '../exchnet/local-features.js';
import type { NetworkLayout } from '../layout.js';

/** Placeholders of an `Exchange` of some rows. */
const names = {
  anchors: (rows: number) => `exchange_anchors_${rows}`,
  kept: (rows: number) => `exchange_kept_${rows}`,
  scalars: (rows: number) => `exchange_scalars_${rows}`,
} as const;

/** What some rows exchange their local features with, as placeholders. */
export function addExchange(tracer: Tracer, layout: NetworkLayout, rows: number): ExchangeTensors {
  const { graph } = tracer;
  const features = (name: string) =>
    tracer.tensor(graph.placeholder(name, 'float32', shapeOf(layout, rows))) as Tensor3D;
  const scalars = graph.placeholder(names.scalars(rows), 'float32', [4]);
  const [margin, ...weights] = [0, 1, 2, 3].map(
    (index) => tracer.tensor(reshape(slice(scalars, [index], [1]), [])) as Scalar,
  );
  return {
    anchors: features(names.anchors(rows)),
    kept: features(names.kept(rows)),
    margin: margin!,
    weights: weights as [Scalar, Scalar, Scalar],
  };
}

/** What the placeholders are fed. */
export function exchangeFeeds(
  { anchors, kept, scalars }: Exchange,
  layout: NetworkLayout,
  rows: number,
): Feed[] {
  const shape = shapeOf(layout, rows);
  return [
    { name: names.anchors(rows), shape, values: anchors },
    { name: names.kept(rows), shape, values: kept },
    { name: names.scalars(rows), shape: [scalars.length], values: scalars },
  ];
}

function shapeOf({ own, featureWidth }: NetworkLayout, rows: number): number[] {
  return [own!.parts, rows, featureWidth];
}
