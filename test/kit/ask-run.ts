import { runCommandLine } from './command-line.js';

/** What a control command prints; throws its exit code and sentence where it fails. */
export async function askRun(cwd: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { exitCode, stderr, stdout } = await runCommandLine(args, { cwd });
  if (exitCode !== 0) throw new Error(`${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}
