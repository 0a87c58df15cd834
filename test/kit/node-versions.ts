import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';

export interface OtherNode {
  readonly version: string;
  readonly program: string;
  /** Empty where it can be run; else why its tests are skipped, for their title. */
  readonly missing: string;
  /** The version, and why its tests are skipped. */
  readonly label: string;
}

const listed = execFileSync(process.execPath, ['scripts/node-versions.mjs', '--list'], { encoding: 'utf8' });

/** Every Node that the project runs on, oldest first. */
export const nodeVersions: readonly OtherNode[] = (
  JSON.parse(listed) as { version: string; program: string }[]
).map(({ version, program }) => {
  const isThere = existsSync(program);
  const missing = isThere ? '' : ' (skipped: not in the cache; npm run setup:nodes brings it there)';
  return { version, program, missing, label: `${version}${missing}` };
});

export interface NodeEnding {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a file of the project with another Node, which its child processes find as `node` too. */
export function runWithNode(
  program: string,
  [file, ...args]: readonly [string, ...string[]],
  cwd: string,
): Promise<NodeEnding> {
  // Of the runner of these tests itself.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_|FCAENET_)/.test(name));
  const path = [dirname(program), process.env.PATH].join(delimiter);
  const options = { cwd, env: { ...Object.fromEntries(inherited), PATH: path }, maxBuffer: 1 << 26 };
  return new Promise((settle) => {
    execFile(program, [resolve(file), ...args], options, (error, stdout, stderr) => {
      settle({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}
