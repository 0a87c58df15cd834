import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type KubeErrorCode =
  | 'KUBE_MANIFESTS_MISSING'
  | 'KUBE_MANIFESTS_INVALID'
  | 'KUBE_KUBECTL_MISSING'
  | 'KUBE_KUSTOMIZE_FAILED'
  | 'KUBE_NO_RUN'
  | 'KUBE_NOT_READY';

const exitCodes: Record<KubeErrorCode, ExitCode> = {
  KUBE_MANIFESTS_MISSING: exit.missingInput,
  KUBE_MANIFESTS_INVALID: exit.badData,
  KUBE_KUBECTL_MISSING: exit.unavailable,
  KUBE_KUSTOMIZE_FAILED: exit.badConfiguration,
  KUBE_NO_RUN: exit.badData,
  KUBE_NOT_READY: exit.badConfiguration,
};

/** Manifests that cannot be read, or would not start a run. */
export class KubeError extends FcaenetError {
  override readonly name = 'KubeError';

  constructor(code: KubeErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
