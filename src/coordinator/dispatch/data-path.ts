import type { Traffic } from '../../transport/service.js';

/**
 * How bytes get from the coordinator to workers and back: over the connection of each worker, or through memory that a
 * worker of this machine shares with it.
 */
export const coordinatorPaths = ['star', 'shared_memory'] as const;
export type CoordinatorPath = (typeof coordinatorPaths)[number];

/** These, and the connections between workers, whose bytes the workers report. Metrics have a series for each name. */
export const dataPaths = [...coordinatorPaths, 'peers'] as const;
export type DataPath = (typeof dataPaths)[number];

export type CoordinatorTraffic = Readonly<Record<CoordinatorPath, Traffic>>;
export type TrafficByPath = Readonly<Record<DataPath, Traffic>>;

export function noTraffic<Path extends DataPath>(paths: readonly Path[]): Record<Path, Traffic> {
  const entries = paths.map((path) => [path, { sentBytes: 0, receivedBytes: 0 }]);
  return Object.fromEntries(entries) as Record<Path, Traffic>;
}

/** The bytes of all the coordinator's paths together. */
export function totalTraffic(traffic: CoordinatorTraffic): Traffic {
  const each = Object.values(traffic);
  const sum = (bytesOf: (traffic: Traffic) => number) => each.reduce((total, one) => total + bytesOf(one), 0);
  return { sentBytes: sum(({ sentBytes }) => sentBytes), receivedBytes: sum((one) => one.receivedBytes) };
}
