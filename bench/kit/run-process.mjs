import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnBound } from './spawn.mjs';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli.js');

/** The command line as a process of its own, started as users start it, seen through its log of JSON lines. */
export class RunProcess {
  lines = [];
  hasEnded = false;

  /**
   * @param {string[]} args
   * @param {string} cwd
   * @param {string[]} within a command that runs the command after it
   * @param {Record<string, string>} environment added to this process's
   */
  constructor(args, cwd, within = [], environment = {}) {
    const [command, ...rest] = [...within, program, ...args];
    this.child = spawnBound(command, rest, {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    this.ended = once(this.child, 'close').then(() => {
      this.hasEnded = true;
    });
    createInterface({ input: this.child.stdout }).on('line', (text) => {
      if (text.startsWith('{')) this.lines.push(JSON.parse(text));
    });
  }

  /** The first log line of this message from `from` on. */
  async line(message, matches = () => true, from = 0) {
    for (;;) {
      const found = this.lines.slice(from).find((line) => line.message === message && matches(line));
      if (found) return found;
      if (this.hasEnded) throw new Error(`a process ended before '${message}'`);
      await sleep(10);
    }
  }

  async end(signal) {
    this.child.kill(signal);
    await this.ended;
  }
}

/** Steps that a coordinator has done and the seconds that they took in all, from its metrics. */
export async function stepsDone(url) {
  const text = await (await fetch(url)).text();
  const value = (name) =>
    Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return {
    steps: value('fcaenet_step_seconds_count'),
    seconds: value('fcaenet_step_seconds_sum'),
    globalStep: value('fcaenet_step'),
  };
}

/** Waits for the next step to be done. @returns the seconds that it took */
export async function nextStep(url, since) {
  for (;;) {
    const now = await stepsDone(url);
    if (now.steps > since.steps)
      return { now, seconds: now.seconds - since.seconds, steps: now.steps - since.steps };
    await sleep(5);
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
