/** Runs a program in a container and gives what it prints; throws where it fails. */
export type InContainer = (...command: string[]) => string;

/** A run of one iteration on a synthetic dataset, both under /tmp, by one worker; gives its log. */
export function trainInContainer(inside: InContainer, engine: string, ...environment: string[]): string {
  inside('fcaenet', 'dataset', 'make', '/tmp/data', '--species=4', '--train=8', '--test=3', '--size=64');
  const settings = [
    'dataset.path=/tmp/data',
    'dataset.sampleSize=16',
    'schedule.iterations=1',
    'schedule.decayAfter=[]',
    'schedule.batchSize=16',
    `engine.name=${engine}`,
    'operation.runsDirectory=/tmp/runs',
    'operation.cache.directory=/tmp/cache',
    'operation.metrics=off',
  ].flatMap((setting) => ['--set', `spec.${setting}`]);
  const train = ['fcaenet', 'train', '/app/examples/quick.yaml', '--workers', '1', ...settings];
  return inside('env', ...environment, ...train);
}
