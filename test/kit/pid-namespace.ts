import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A command that runs the rest of its arguments as process 1 of a PID namespace, as a container does. */
export const asFirstProcess = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL'] as const;

/** Why this machine has no PID namespaces for us; empty where it has. For the title of a skipped test. */
export const pidNamespacesMissing = whyNone();

function whyNone(): string {
  try {
    execFileSync(asFirstProcess[0], [...asFirstProcess.slice(1), 'true'], { stdio: 'ignore' });
    return '';
  } catch {
    return ' (skipped: needs root and a kernel with PID namespaces)';
  }
}

/** Process 1 of a namespace, as seen from outside: `unshare` only waits for it. Null where it has ended. */
export function firstProcess(unsharePid: number): number | null {
  try {
    const [first] = readFileSync(`/proc/${unsharePid}/task/${unsharePid}/children`, 'utf8').trim().split(' ');
    return first ? Number(first) : null;
  } catch {
    return null;
  }
}
