import { firstFew } from '../console/first-few.js';
import { FcaenetError } from '../errors.js';
import { parseTrainingRun } from '../run/read.js';
import type { TrainingRun } from '../run/training-run.js';
import { missingValues } from './fill-ins.js';
import {
  type CellJob,
  cellJobsOf,
  commandLineOf,
  configMapOf,
  queueLabel,
  type RunJobs,
  runJobsOf,
} from './jobs.js';
import type { JobSpec, Manifest } from './manifest.js';
import { unmountedPath } from './mounted-paths.js';
import { peerObstacle } from './peers.js';
import { missingSecrets } from './secrets.js';

/** One requirement for a run to start. */
export interface KubeCheck {
  readonly name: string;
  readonly ok: boolean;
  /** The result, or what is missing and what to enter. */
  readonly text: string;
}

/**
 * Whether manifests, as printed by `kubectl kustomize`, would start a run: every value is filled in, and the
 * coordinator would accept the run file. Contacts no cluster.
 * @throws KubeError KUBE_NO_RUN without coordinator or workers (the helpers of deploy/ need none), KUBE_MANIFESTS_INVALID
 */
export function examineManifests(manifests: readonly Manifest[]): KubeCheck[] {
  const values = checkValues(manifests);
  if (isHelper(manifests)) {
    const text = 'there is none in these manifests; only the values to fill in were checked';
    return [...values, { name: 'run', ok: true, text }];
  }
  const cells = cellJobsOf(manifests);
  if (cells.length > 0) return [...values, checkCells(cells, manifests), ...checkQueue(cells)];
  if (isTableWithoutRuns(manifests)) {
    const text = 'no run of the table is left; there is nothing to start';
    return [...values, { name: 'run files', ok: true, text }];
  }
  const { coordinator, workers, runtime } = runJobsOf(manifests);
  // A runtime without TrainJob is for later runs.
  const hasRun = runtime === null || manifests.some(({ kind }) => kind === 'TrainJob');
  const run = hasRun ? readRun(manifests, coordinator) : null;
  return [
    ...values,
    ...(run === null ? [] : [checkRunFile(run)]),
    checkWorkers(workers, run && 'run' in run ? run.run : null),
    ...checkPeers({ coordinator, workers }, manifests),
    ...(runtime === null ? [] : [describeRuntime(runtime)]),
    ...describeQueue(manifests),
    describeSecrets(manifests, runtime),
  ];
}

/** The queue of a JobSet. */
function describeQueue(manifests: readonly Manifest[]): KubeCheck[] {
  const queues = manifests.flatMap(({ kind, metadata }) =>
    kind === 'JobSet' ? (metadata.labels?.[queueLabel] ?? []) : [],
  );
  if (queues.length === 0) return [];
  const text = `Kueue starts the JobSet; the local queue ${queues.join(', ')} must be in its namespace`;
  return [{ name: 'queue', ok: true, text }];
}

/** The runs of a table, each a Job of its own. */
function checkCells(cells: readonly CellJob[], manifests: readonly Manifest[]): KubeCheck {
  const name = 'run files';
  const runs = cells.map((cell) => ({ cell, run: readRun(manifests, cell.spec) }));
  const wrong = runs.flatMap(({ cell, run }) => {
    const error = 'error' in run ? run.error : unmountedPath(run.run, cell.spec.template);
    return error === null ? [] : [`Job ${cell.name}: ${error}`];
  });
  if (wrong.length > 0) return { name, ok: false, text: firstFew(wrong, '; ') };
  const text = firstFew(runs.flatMap(({ run }) => ('run' in run ? [run.run.metadata.name] : [])));
  return {
    name,
    ok: true,
    text: `${runs.length === 1 ? '1 run' : `${runs.length} runs`} of a table: ${text}`,
  };
}

function checkQueue(cells: readonly CellJob[]): KubeCheck[] {
  const waiting = cells.filter(({ spec }) => spec.suspend);
  const lost = waiting.find(({ queue }) => queue === undefined);
  if (lost !== undefined) {
    const text = `Job ${lost.name} is suspended, but has no label ${queueLabel} of the queue that starts it`;
    return [{ name: 'queue', ok: false, text }];
  }
  if (waiting.length === 0) return [];
  const queues = [...new Set(waiting.map(({ queue }) => queue))].join(', ');
  const text = `Kueue starts the Jobs; the local queue ${queues} must be in their namespace`;
  return [{ name: 'queue', ok: true, text }];
}

/** Whether these are what the runs of a table share, and nothing else. */
function isTableWithoutRuns(manifests: readonly Manifest[]): boolean {
  return (
    manifests.some(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'cell') &&
    !hasRuns(manifests)
  );
}

/** What of deploy/ is no part of a run. */
const helpers = ['Pod copy', 'Pod results', 'Deployment serve'];

/** Whether these have one of the helpers, and no run. */
function isHelper(manifests: readonly Manifest[]): boolean {
  return (
    manifests.some(({ kind, metadata }) => helpers.includes(`${kind} ${metadata.name}`)) &&
    !hasRuns(manifests)
  );
}

function hasRuns(manifests: readonly Manifest[]): boolean {
  const ofRuns = ['Job', 'JobSet', 'TrainJob', 'ClusterTrainingRuntime'];
  return manifests.some(({ kind }) => ofRuns.includes(kind));
}

function checkValues(manifests: readonly Manifest[]): KubeCheck[] {
  const missing = missingValues(manifests).map(({ value, mark, expected, places }) => ({
    name: value,
    ok: false,
    text: `replace ${mark} in ${firstFew(places)} with ${expected}`,
  }));
  return missing.length > 0 ? missing : [{ name: 'values', ok: true, text: 'all are filled in' }];
}

type RunOrError = { readonly run: TrainingRun } | { readonly error: string };

/** The run of the coordinator's command line, or of its file when there is no such command line. */
function readRun(manifests: readonly Manifest[], coordinator: JobSpec | null): RunOrError {
  const { containers, volumes } = coordinator?.template.spec ?? { containers: [], volumes: [] };
  const overrides = containers
    .slice(0, 1)
    .flatMap((container) => commandLineOf(container, manifests))
    .filter((word) => word.startsWith('--set='))
    .map((word) => word.slice('--set='.length));
  const name = volumes.find((volume) => volume.name === 'run')?.configMap?.name ?? 'run';
  const text = configMapOf(manifests, name)?.['run.yaml'];
  if (text === undefined) return { error: `ConfigMap ${name} has no run.yaml, which must be a run file` };
  try {
    return { run: parseTrainingRun(text, `run.yaml of ConfigMap ${name}`, overrides) };
  } catch (error) {
    if (error instanceof FcaenetError) return { error: error.message };
    throw error;
  }
}

function checkRunFile(run: RunOrError): KubeCheck {
  const name = 'run file';
  return 'error' in run
    ? { name, ok: false, text: run.error }
    : { name, ok: true, text: describeRun(run.run) };
}

function describeRun({ metadata, spec }: TrainingRun): string {
  return `${metadata.name}: ${spec.method}, ${spec.bits} bits, ${spec.model.backbone}, ${spec.schedule.iterations} iterations`;
}

function checkWorkers(
  { parallelism, completions, workersPerPod }: RunJobs['workers'],
  run: TrainingRun | null,
): KubeCheck {
  const name = 'workers';
  if (parallelism !== completions) {
    const text = `parallelism is ${parallelism}, but must be the number of completions, ${completions}`;
    return { name, ok: false, text };
  }
  const { maxWorkers, minWorkers } = run?.spec.operation.membership ?? { maxWorkers: 1024, minWorkers: 1 };
  const count = parallelism * workersPerPod;
  if (count > maxWorkers || count < minWorkers) {
    const text = `there are ${count}, but spec.operation.membership asks for ${minWorkers} to ${maxWorkers}`;
    return { name, ok: false, text };
  }
  const spares = Math.max(0, count - (run?.spec.schedule.microbatches ?? count));
  const idle = spares === 0 ? '' : `, of which ${spares} only stand by: spec.schedule.microbatches is fewer`;
  const pods = workersPerPod === 1 ? '' : ` in ${parallelism === 1 ? '1 pod' : `${parallelism} pods`}`;
  return { name, ok: true, text: `${count}${pods}${idle}` };
}

/** Said only where something is missing: the run starts all the same. */
function checkPeers(
  { coordinator, workers: { template } }: Pick<RunJobs, 'coordinator' | 'workers'>,
  manifests: readonly Manifest[],
): KubeCheck[] {
  const obstacle = template && peerObstacle(template, coordinator?.template ?? null, manifests);
  return obstacle === null ? [] : [{ name: 'peers', ok: true, text: obstacle }];
}

function describeRuntime({ name, isThere }: NonNullable<RunJobs['runtime']>): KubeCheck {
  const where = isThere
    ? 'is among the manifests'
    : 'is not among the manifests, so it must already be in the cluster';
  return { name: 'runtime', ok: true, text: `ClusterTrainingRuntime ${name} ${where}` };
}

function describeSecrets(manifests: readonly Manifest[], runtime: RunJobs['runtime']): KubeCheck {
  const names = missingSecrets(manifests);
  const elsewhere =
    runtime && !runtime.isThere ? [`those of the pods of ClusterTrainingRuntime ${runtime.name}`] : [];
  return { name: 'secrets', ok: true, text: `to be created first: ${[...names, ...elsewhere].join(', ')}` };
}
