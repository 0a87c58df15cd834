import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer } from './api-server.js';
import type { Cluster } from './cluster.js';
import type { Manifest } from './kustomize.js';
import type { Pod, PodEnding } from './pod.js';

/** A pod of the API server, and its processes here. */
export interface NodePod {
  readonly name: string;
  /** Of its Job. */
  readonly job: string;
  readonly pod: Pod;
  /** Whether the API server had asked for its end. */
  deleted: boolean;
  ending: PodEnding | null;
}

/** Runs the pods that a namespace of an API server has, on this machine, as a scheduler and a kubelet do. */
export class Node {
  /** All pods so far, as they came. */
  readonly pods: NodePod[] = [];
  /** The most pods that ran at the same time. */
  mostAtOnce = 0;
  /** Why it serves no pods any more. */
  failure: Error | null = null;
  private readonly work: Promise<void>;
  private stopped = false;

  constructor(
    private readonly server: ApiServer,
    private readonly cluster: Cluster,
    private readonly namespace: string,
  ) {
    this.work = this.serve().catch((error) => {
      this.failure = error as Error;
    });
  }

  /** Pods whose processes run. */
  get running(): NodePod[] {
    return this.pods.filter(({ ending }) => ending === null);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async serve(): Promise<void> {
    while (!this.stopped) {
      const listed = await this.server.kubectl(`--namespace ${this.namespace} get pods --output json`);
      const { items } = JSON.parse(listed) as { items: Manifest[] };
      for (const object of items) await this.see(object);
      await sleep(200);
    }
  }

  private async see(object: Manifest): Promise<void> {
    const { name, deletionTimestamp } = object.metadata as { name: string; deletionTimestamp?: string };
    let mine = this.pods.find((each) => each.name === name);
    if (!mine) {
      if (deletionTimestamp) return this.forget(name);
      if (!(await this.bind(name))) return;
      mine = this.start(object);
    }
    if (deletionTimestamp && !mine.deleted) {
      mine.deleted = true;
      if (mine.ending === null) void mine.pod.terminate();
    }
    if (mine.ending === null) return;
    if (object.status.phase === 'Running') await this.report(mine);
    if (mine.deleted) await this.forget(name);
  }

  /** Whether the pod is still there, and now runs here. */
  private async bind(name: string): Promise<boolean> {
    const target = { kind: 'Node', name: 'node' };
    const binding = JSON.stringify({ apiVersion: 'v1', kind: 'Binding', metadata: { name }, target });
    const isThere = await this.asked(`create --raw ${this.path(name)}/binding --filename -`, binding);
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    return isThere && (await this.setStatus(name, status));
  }

  private start(object: Manifest): NodePod {
    const { name } = object.metadata;
    const pod = this.cluster.start(object);
    const job = object.metadata.labels!['batch.kubernetes.io/job-name']!;
    const mine: NodePod = { name, job, pod, deleted: false, ending: null };
    this.pods.push(mine);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running.length);
    void pod.ended.then((ending) => {
      mine.ending = ending;
    });
    return mine;
  }

  private report({ name, ending }: NodePod): Promise<boolean> {
    const { container, exitCode } = ending!;
    const state = { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } };
    const status = { name: container, image: 'image', imageID: '', ready: false, restartCount: 0, state };
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    const conditions = [{ type: 'Ready', status: 'False' }];
    return this.setStatus(name, { phase, conditions, containerStatuses: [status] });
  }

  private setStatus(name: string, status: object): Promise<boolean> {
    const patch = JSON.stringify({ status });
    return this.asked(`patch pod ${name} --subresource=status --type=merge --patch '${patch}'`);
  }

  private async forget(name: string): Promise<void> {
    await this.asked(`delete --raw '${this.path(name)}?gracePeriodSeconds=0'`);
  }

  private path(name: string): string {
    return `/api/v1/namespaces/${this.namespace}/pods/${name}`;
  }

  /** Whether the pod that a command is about was still there. */
  private async asked(command: string, input = ''): Promise<boolean> {
    const { exitCode, stderr } = await this.server.shell(
      `kubectl --namespace ${this.namespace} ${command}`,
      input,
    );
    if (exitCode === 0) return true;
    if (/NotFound|not found/.test(stderr)) return false;
    throw new Error(`kubectl ${command}: ${stderr}`);
  }
}
