import type { Traffic } from '../../transport/service.js';

/**
 * How bytes get to workers and back: over the connection of each worker to the coordinator, or through memory that a
 * worker of this machine shares with it. Metrics have a series for each name.
 */
export const dataPaths = ['star', 'shared_memory'] as const;
export type DataPath = (typeof dataPaths)[number];
export type TrafficByPath = Readonly<Record<DataPath, Traffic>>;

export function noTraffic(): TrafficByPath {
  const entries = dataPaths.map((path) => [path, { sentBytes: 0, receivedBytes: 0 }]);
  return Object.fromEntries(entries) as Record<DataPath, Traffic>;
}

/** The bytes of all paths together. */
export function totalTraffic(traffic: TrafficByPath): Traffic {
  const each = Object.values(traffic);
  const sum = (bytesOf: (traffic: Traffic) => number) => each.reduce((total, one) => total + bytesOf(one), 0);
  return { sentBytes: sum(({ sentBytes }) => sentBytes), receivedBytes: sum((one) => one.receivedBytes) };
}
