import { execFileSync } from 'node:child_process';
import { CommandLine, runCommandLine } from './command-line.js';
import type { SmallRun } from './small-run.js';

/** A run of so many iterations, of four steps each, as options of the command line. */
export const settingsOf = (name: string, iterations: number, settings: readonly string[] = []) =>
  [
    `metadata.name=${name}`,
    `spec.schedule.iterations=${iterations}`,
    'spec.schedule.decayAfter=[]',
    ...settings,
  ].flatMap((setting) => ['--set', setting]);

/** What one worker makes of the run. */
export async function trainedAlone(
  small: SmallRun,
  name: string,
  iterations: number,
  settings: readonly string[] = [],
) {
  const train = ['train', small.runFile, '--workers', '1', ...settingsOf(name, iterations, settings)];
  const { exitCode, stderr } = await runCommandLine(train, { cwd: small.folder });
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  return digestsOf(small, name);
}

export async function digestsOf(small: SmallRun, name: string) {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
}

const certificateOf = (holder: string) => ({
  certificate: `certs/${holder}/tls.crt`,
  key: `certs/${holder}/tls.key`,
  authority: `certs/${holder}/ca.crt`,
});

/** Makes an authority and certificates, and gives the options with which coordinator and workers use them. */
export async function mutualTls(small: SmallRun) {
  const { exitCode, stderr } = await runCommandLine(['certs', 'make', 'certs'], { cwd: small.folder });
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  const token = ['--join-token-file', 'certs/join-token'];
  return {
    coordinator: [
      ...token,
      ...Object.entries(certificateOf('coordinator')).flatMap(([name, file]) => [
        '--set',
        `spec.operation.tls.${name}=${file}`,
      ]),
    ],
    worker: [
      ...token,
      ...Object.entries(certificateOf('worker')).flatMap(([name, file]) => [`--tls-${name}`, file]),
    ],
  };
}

/** A coordinator, and workers that join it, each with the given options. */
export async function startRun(
  small: SmallRun,
  coordinatorFlags: readonly string[],
  workers: readonly (readonly string[])[],
  env: NodeJS.ProcessEnv = {},
) {
  const coordinator = new CommandLine(['coordinator', small.runFile, ...coordinatorFlags], {
    cwd: small.folder,
  });
  const { address } = await coordinator.line('waiting for workers');
  const joined = workers.map(
    (flags, place) =>
      new CommandLine(
        [
          ...['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'],
          ...['--name', `machine-${place}`, ...flags],
        ],
        { cwd: small.folder, env },
      ),
  );
  return { coordinator, workers: joined };
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid'], { encoding: 'utf8' }).trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid ? [child!] : []));
}
