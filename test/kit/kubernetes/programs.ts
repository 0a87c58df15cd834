import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { schemasMissing } from './schemas.js';

const variable = 'FCAENET_TEST_API_SERVER';

/** What `npm run setup:kubernetes` builds: paths of programs, and of what each manager's installation registers. */
export const programs = JSON.parse(
  execFileSync(process.execPath, ['scripts/kubernetes-api-server.mjs', '--list'], { encoding: 'utf8' }),
) as Record<
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kubectl'
  | 'jobset'
  | 'jobset.yaml'
  | 'kueue'
  | 'kueue.yaml',
  string
>;

/** Empty where the servers are there and were asked for; else why tests that need them are skipped. */
export const apiServerMissing = whyNoServer();

function whyNoServer(): string {
  if (process.env[variable] !== '1') return ` (skipped: ${variable} is not 1)`;
  const unknown = ['etcd', 'openssl', 'curl', 'setpriv'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  if (unknown.length > 0) return ` (skipped: ${unknown.join(', ')} not installed)`;
  const absent = Object.entries(programs).filter(([, path]) => !existsSync(path));
  if (absent.length > 0)
    return ` (skipped: ${absent.map(([name]) => name).join(', ')} not built; npm run setup:kubernetes)`;
  return schemasMissing;
}
