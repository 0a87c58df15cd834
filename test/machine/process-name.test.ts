import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isDead, ownProcess, type ProcessName } from '../../src/machine/process-name.js';

/** A process whose parent never asks for its exit code, as the first process of many containers does not. */
async function neglectedProcess(): Promise<ProcessName> {
  const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000']);
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(line);
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  return { ...ownProcess(), pid, processStart: fieldsOf(pid)[19]! };
}

/** The fields of /proc/PID/stat behind the name. */
function fieldsOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

test('a process that was killed is dead before its parent asks for its exit code', async () => {
  const named = await neglectedProcess();
  expect(isDead(named)).toBe(false);
  process.kill(named.pid, 'SIGKILL');
  await vi.waitFor(() => expect(fieldsOf(named.pid)[0]).toBe('Z'));
  expect(isDead(named)).toBe(true);
});

test('a process that is stopped is not dead', async () => {
  const named = await neglectedProcess();
  process.kill(named.pid, 'SIGSTOP');
  await vi.waitFor(() => expect(fieldsOf(named.pid)[0]).toBe('T'));
  expect(isDead(named)).toBe(false);
});
