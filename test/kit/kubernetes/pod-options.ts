import type { Manifest } from './kustomize.js';
import type { Volumes } from './volumes.js';

/** What a pod of the tests is made from. */
export interface PodOptions {
  readonly template: Manifest;
  readonly name: string;
  /** What the pod sees as its host name; the name, but for Indexed Jobs. */
  readonly hostname: string;
  readonly namespace: string;
  /** Network namespace that stands for the cluster's network. */
  readonly network: string;
  /** Names that resolve to this machine: the cluster's Services. */
  readonly hosts: readonly string[];
  readonly volumes: Volumes;
  /** A folder for this pod's file systems. */
  readonly folder: string;
}
