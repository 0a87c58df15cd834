// A whole run with two worker processes that goes on only while it is measured.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { askControlSocket } from '../../dist/transport/control/socket.js';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli.js');
/** Of /proc/PID/stat, on every Linux that Node 20 runs on. */
const ticksPerSecond = 100;

/** Runs a command of the command line to its end. */
export async function fcaenet(...args) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [exitCode] = await once(child, 'exit');
  if (exitCode !== 0) throw new Error(`fcaenet ${args.join(' ')} ended with exit code ${exitCode}.`);
}

/**
 * Starts a run and waits for its first step.
 * @param {string} folder where the run's files go
 * @param {object} spec of the run file, but for the operation
 */
export async function pausedRun(folder, spec) {
  const runFile = join(folder, 'run.yaml');
  const operation = {
    runsDirectory: join(folder, 'runs'),
    cache: { directory: join(folder, 'cache') },
    metrics: 'off',
    evaluation: { untrained: false },
  };
  const run = { apiVersion: 'fcaenet.dev/v1', kind: 'TrainingRun', metadata: { name: 'bench' } };
  writeFileSync(runFile, stringify({ ...run, spec: { preset: 'quick', ...spec, operation } }));
  const coordinator = spawn(process.execPath, [program, 'train', runFile, '--workers', '2'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(coordinator, 'exit');
  const ask = async (command) => {
    const socket = join(operation.runsDirectory, 'bench', 'control.sock');
    return JSON.parse(await askControlSocket(socket, JSON.stringify({ command })));
  };
  const steps = async () => (await ask('status')).position.globalStep;
  const until = async (condition, everyMs) => {
    while (!(await condition().catch(() => false))) {
      if (coordinator.exitCode !== null) throw new Error('The run ended before it was measured.');
      await sleep(everyMs);
    }
  };
  const pause = async () => {
    await ask('pause');
    await until(async () => (await ask('status')).state === 'paused', 2);
  };
  await until(async () => (await steps()) > 0, 100);
  await pause();
  return {
    /** Goes on for about that long: seconds on the clock, seconds on the processors, and steps. */
    async run(seconds) {
      const before = { steps: await steps(), processor: processorSeconds(coordinator.pid) };
      const start = performance.now();
      await ask('resume');
      await sleep(1e3 * seconds);
      await pause();
      const clock = (performance.now() - start) / 1e3;
      const processor = processorSeconds(coordinator.pid) - before.processor;
      return { clock, processor, steps: (await steps()) - before.steps };
    },
    async end() {
      coordinator.kill('SIGTERM');
      await ended;
    },
  };
}

/** Of a process and its children. */
function processorSeconds(pid) {
  const family = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(statOf)
    .filter((stat) => stat !== null && (stat.pid === pid || stat.parent === pid));
  return family.reduce((sum, { seconds }) => sum + seconds, 0);
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
    return { pid: Number(pid), parent, seconds: (user + system) / ticksPerSecond };
  } catch {
    // It ended meanwhile.
    return null;
  }
}
