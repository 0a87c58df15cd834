import { spawn } from 'node:child_process';

/** How a program ended. */
export type ProgramEnding =
  | { readonly how: 'ended'; readonly exitCode: number | null; readonly output: string }
  | { readonly how: 'missing' }
  | { readonly how: 'hung' };

/** More than nvidia-smi writes of hundreds of devices. */
const mostCharacters = 1_000_000;

/**
 * Runs a program and returns what it writes to both outputs, the first million characters. A program that does not end
 * in time is killed and not waited for: a driver that hangs keeps its programs in a state that no signal ends.
 */
export function runBounded(
  program: string,
  args: readonly string[],
  options: { readonly environment: NodeJS.ProcessEnv; readonly timeoutMs: number },
): Promise<ProgramEnding> {
  return new Promise((resolve) => {
    // A process group of its own, so that what the program started ends with it.
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...options.environment, LC_ALL: 'C' },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text.slice(0, mostCharacters - output.length);
      });
    }
    const finish = (ending: ProgramEnding) => {
      clearTimeout(timer);
      resolve(ending);
    };
    const timer = setTimeout(() => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has just ended.
      }
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      finish({ how: 'hung' });
    }, options.timeoutMs);
    child.once('error', () => finish({ how: 'missing' }));
    child.once('close', (exitCode) => finish({ how: 'ended', exitCode, output }));
  });
}
