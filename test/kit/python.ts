import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const { python } = JSON.parse(
  execFileSync(process.execPath, ['scripts/python-packages.mjs', '--list'], { encoding: 'utf8' }),
) as { python: string };

/** Why programs that need a module cannot run here, for the title of a test; empty where they can. */
function missing(module: string, command: string): string {
  const why = ` (skipped: ${module} is not there; ${command} installs it)`;
  if (!existsSync(python)) return why;
  try {
    execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' });
    return '';
  } catch {
    return why;
  }
}

export const withoutPackages = missing('faiss', 'npm run setup:python');
export const withoutTorch = missing('torchvision', 'npm run setup:python -- --torch');

export interface PythonEnding {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of Python's, given as text. */
export function runPython(program: string, args: readonly string[], cwd: string): Promise<PythonEnding> {
  return new Promise((settle) => {
    execFile(python, ['-c', program, ...args], { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      settle({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}
