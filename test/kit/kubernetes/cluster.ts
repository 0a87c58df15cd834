import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { find, type Manifest } from './kustomize.js';
import { Pod, type PodEnding, podSuffix } from './pod.js';
import { type Secrets, Volumes } from './volumes.js';

/** What a Job makes of a pod that has ended. */
export type PodVerdict = 'Succeeded' | 'Ignore' | 'Count' | 'FailJob' | 'FailIndex';

/** Applies a Job's podFailurePolicy, rule by rule, the first that matches. */
export function judge(job: Manifest, exitCode: number, disrupted: boolean): PodVerdict {
  if (exitCode === 0) return 'Succeeded';
  for (const { action, onExitCodes, onPodConditions } of job.spec.podFailurePolicy.rules) {
    const matches = onExitCodes
      ? onExitCodes.values.includes(exitCode) === (onExitCodes.operator === 'In')
      : disrupted && onPodConditions.some(({ type }: { type: string }) => type === 'DisruptionTarget');
    if (matches) return action;
  }
  return 'Count';
}

/** One index of a Job: its pods, one after the other. */
export interface PodRecord {
  readonly pod: Pod;
  readonly verdict: PodVerdict;
  readonly ending: PodEnding;
}

/** Carries out the Jobs of a namespace on this machine, as Kubernetes would: pods that fail are judged and replaced. */
export class Cluster {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fcaenet-cluster-'));
  private readonly network = `fcaenet-${process.pid}-${podSuffix()}`;
  readonly volumes: Volumes;
  private readonly namespace: string;
  private readonly running = new Set<Pod>();
  private readonly waiting: (() => void)[] = [];
  readonly pods: Pod[] = [];
  private removed = false;

  constructor(
    private readonly manifests: readonly Manifest[],
    secrets: Secrets,
    /** Before the first replacement of a pod whose failure counts; twice as long before the next. Kubernetes: 10 s. */
    private readonly backOffMs = 1000,
  ) {
    this.namespace = find(manifests, 'ServiceAccount', 'fcaenet').metadata.namespace!;
    this.volumes = new Volumes(manifests, secrets, this.folder, 65532);
    execFileSync('chmod', ['755', this.folder]);
    execFileSync('ip', ['netns', 'add', this.network]);
    execFileSync('ip', ['-n', this.network, 'link', 'set', 'lo', 'up']);
  }

  /** Runs one index of a Job until it has succeeded, or failed for good; gives its pods. */
  async runIndex(jobName: string, index: number): Promise<PodRecord[]> {
    const job = find(this.manifests, 'Job', jobName);
    const limit = job.spec.backoffLimitPerIndex ?? job.spec.backoffLimit;
    const records: PodRecord[] = [];
    for (let failures = 0; failures <= limit && !this.removed; ) {
      const pod = this.start(job, index);
      const ending = await pod.ended;
      const verdict = judge(job, ending.exitCode, false);
      records.push({ pod, verdict, ending });
      if (verdict === 'Succeeded' || verdict === 'FailJob' || verdict === 'FailIndex') break;
      if (verdict === 'Count') await sleep(this.backOffMs * 2 ** failures++);
    }
    return records;
  }

  /** The nth pod of a Job, index by index as they came; waits until there is one. */
  async pod(jobName: string, nth = 0): Promise<Pod> {
    for (;;) {
      const found = this.pods.filter(({ name }) => name.startsWith(`${jobName}-`))[nth];
      if (found) return found;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Ends what still runs, and forgets everything. */
  async remove(): Promise<void> {
    this.removed = true;
    for (const pod of this.running) pod.kill();
    await Promise.all([...this.running].map(({ ended }) => ended));
    execFileSync('ip', ['netns', 'del', this.network]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts one pod of a StatefulSet or Job, or one that stands by itself; the caller sees to its end. */
  start(owner: Manifest, index = 0): Pod {
    const stem = owner.kind === 'Pod' ? owner.metadata.name : `${owner.metadata.name}-${index}`;
    const indexed = owner.kind !== 'Job' || owner.spec.completionMode === 'Indexed';
    const name =
      owner.kind !== 'Job'
        ? stem
        : indexed
          ? `${stem}-${podSuffix()}`
          : `${owner.metadata.name}-${podSuffix()}`;
    const folder = join(this.folder, name);
    mkdirSync(folder);
    const hosts = this.manifests
      .filter(({ kind }) => kind === 'Service')
      .map(({ metadata }) => `${metadata.name}.${this.namespace}.svc`);
    const pod = new Pod({
      template: owner.kind === 'Pod' ? owner : withClaims(owner, stem),
      name,
      hostname: indexed ? stem : name,
      namespace: this.namespace,
      network: this.network,
      hosts,
      volumes: this.volumes,
      folder,
    });
    this.running.add(pod);
    void pod.ended.then(() => this.running.delete(pod));
    this.pods.push(pod);
    for (const wake of this.waiting.splice(0)) wake();
    return pod;
  }
}

/** The pod template of a StatefulSet with the claims that it makes for each of its pods. */
function withClaims({ spec }: Manifest, pod: string): Manifest {
  const template = structuredClone(spec.template);
  for (const { metadata } of spec.volumeClaimTemplates ?? []) {
    const { name } = metadata;
    template.spec.volumes.push({ name, persistentVolumeClaim: { claimName: `${name}-${pod}` } });
  }
  return template;
}
