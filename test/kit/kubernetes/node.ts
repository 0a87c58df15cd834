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
  private readonly work: Promise<void>;
  private stopped = false;

  constructor(
    private readonly server: ApiServer,
    private readonly cluster: Cluster,
    private readonly namespace: string,
  ) {
    this.work = this.serve();
    this.work.catch(() => undefined);
  }

  /** Pods whose processes run. */
  get running(): NodePod[] {
    return this.pods.filter(({ ending }) => ending === null);
  }

  /** Throws what went wrong so far. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async serve(): Promise<void> {
    while (!this.stopped) {
      const { items } = JSON.parse(await this.ask('get pods --output json')) as { items: Manifest[] };
      for (const object of items) await this.see(object);
      await sleep(200);
    }
  }

  private async see(object: Manifest): Promise<void> {
    const { name, deletionTimestamp } = object.metadata as { name: string; deletionTimestamp?: string };
    let mine = this.pods.find((each) => each.name === name);
    if (!mine) {
      if (deletionTimestamp) return this.forget(name);
      mine = await this.start(object);
    }
    if (deletionTimestamp && !mine.deleted) {
      mine.deleted = true;
      void mine.pod.terminate();
    }
    if (mine.ending === null) return;
    if (object.status.phase === 'Running') await this.report(mine);
    if (mine.deleted) await this.forget(name);
  }

  private async start(object: Manifest): Promise<NodePod> {
    const { name } = object.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name },
      target: { kind: 'Node', name: 'node' },
    };
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}/binding`;
    await this.server.kubectl(`create --raw ${path} --filename -`, JSON.stringify(binding));
    await this.setStatus(name, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] });
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

  private report({ name, ending }: NodePod): Promise<void> {
    const { container, exitCode } = ending!;
    const state = { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } };
    const status = { name: container, image: 'image', imageID: '', ready: false, restartCount: 0, state };
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    const conditions = [{ type: 'Ready', status: 'False' }];
    return this.setStatus(name, { phase, conditions, containerStatuses: [status] });
  }

  private async setStatus(name: string, status: object): Promise<void> {
    const patch = JSON.stringify({ status });
    await this.ask(`patch pod ${name} --subresource=status --type=merge --patch '${patch}'`);
  }

  private async forget(name: string): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}?gracePeriodSeconds=0`;
    // It may be gone: the Job's controller waits for nothing else.
    await this.server.shell(`kubectl delete --raw '${path}'`);
  }

  private ask(command: string): Promise<string> {
    return this.server.kubectl(`--namespace ${this.namespace} ${command}`);
  }
}
