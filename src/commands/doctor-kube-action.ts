import { openConsole } from '../console/console.js';
import { print } from '../console/output.js';
import { formatTable } from '../console/table.js';
import { KubeError } from '../kube/error.js';
import { examineManifests } from '../kube/examine.js';
import { readManifests } from '../kube/read-manifests.js';
import type { DoctorKubeOptions } from './doctor.js';

const columns = ['check', '', 'what'].map((title) => ({ title, isNumber: false }));

/**
 * `fcaenet doctor --kube`: a table on a terminal, otherwise a JSON line for each check.
 * @throws KubeError KUBE_NOT_READY, naming what is missing, and the errors of reading and examining
 */
export async function examineKube({ manifests }: DoctorKubeOptions): Promise<void> {
  const checks = examineManifests(readManifests(manifests));
  const console = openConsole('result');
  if (console.isTerminal) {
    const rows = checks.map(({ name, ok, text }) => [name, ok ? 'ok' : 'missing', text]);
    await print(formatTable(columns, rows));
  } else for (const { name, ok, text } of checks) console.log.info('check', { name, ok, text });
  console.close();
  const failed = checks.filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  throw new KubeError(
    'KUBE_NOT_READY',
    `${manifests} would not start a run: ${failed.map(({ name, text }) => `${name} (${text})`).join('; ')}`,
  );
}
