import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { quote } from '../errors.js';
import { repeatedName } from '../run/repeated-name.js';
import { KubeError } from './error.js';
import { type Manifest, manifestSchema } from './manifest.js';

const largestFileBytes = 1 << 26;

/**
 * Reads manifests: the output of `kubectl kustomize` for a folder, a file of YAML documents, or standard input for `-`.
 * @throws KubeError KUBE_MANIFESTS_MISSING, KUBE_KUBECTL_MISSING, KUBE_KUSTOMIZE_FAILED, KUBE_MANIFESTS_INVALID
 */
export function readManifests(source: string): Manifest[] {
  return parseManifests(textOf(source), source === '-' ? 'standard input' : source);
}

/** The documents of a YAML text; `source` is named in errors. */
export function parseManifests(text: string, source: string): Manifest[] {
  const documents = parseAllDocuments(text, { logLevel: 'error', uniqueKeys: false });
  const fail = (reason: string, cause?: unknown) =>
    new KubeError('KUBE_MANIFESTS_INVALID', `${source} is not valid YAML: ${reason}`, { cause });
  for (const document of documents) {
    const problem = document.errors[0];
    if (problem) throw fail(problem.message.split('\n')[0]!.replace(/[.:]$/, ''), problem);
    const repeated = repeatedName(document);
    if (repeated !== null) throw fail(`a mapping has the name ${quote(String(repeated.name))} twice`);
  }
  return documents
    .map((document) => document.toJS() as unknown)
    .filter((value) => value !== null)
    .map((value, index) => {
      const { data, error } = manifestSchema.safeParse(value);
      if (data !== undefined) return data;
      throw new KubeError(
        'KUBE_MANIFESTS_INVALID',
        `document ${index + 1} of ${source} must be a Kubernetes object with apiVersion, kind and metadata.name`,
        { cause: error },
      );
    });
}

function textOf(source: string): string {
  if (source === '-') return readFileSync(0, 'utf8');
  try {
    return statSync(source).isDirectory()
      ? kustomize(source)
      : readInputFile(source, largestFileBytes).toString('utf8');
  } catch (cause) {
    if (cause instanceof KubeError) throw cause;
    throw new KubeError(
      'KUBE_MANIFESTS_MISSING',
      `the manifests ${source} ${whyUnread(cause)}; name a folder of deploy/overlays, a file, or -`,
      { cause },
    );
  }
}

function kustomize(folder: string): string {
  const { error, status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error) {
    throw new KubeError(
      'KUBE_KUBECTL_MISSING',
      `kubectl is not installed, which builds ${folder}; install it, or name a file that it has built`,
      { cause: error },
    );
  }
  if (status === 0) return stdout;
  const reason = stderr
    .trim()
    .split('\n')
    .at(-1)!
    .replace(/^error: /, '')
    .replace(/\.$/, '');
  throw new KubeError('KUBE_KUSTOMIZE_FAILED', `kubectl kustomize ${folder} failed: ${reason}`);
}
