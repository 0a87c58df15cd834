import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { asFirstProcess, pidNamespacesMissing } from '../kit/pid-namespace.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test.skipIf(pidNamespacesMissing !== '').each([
  ['a /proc of its own', asFirstProcess],
  ['the /proc of the machine', asFirstProcess.filter((word) => word !== '--mount-proc')],
])(
  `a live lease is not stolen by another container on the same machine, with %s${pidNamespacesMissing}`,
  async (proc, within) => {
    const flags = [
      `metadata.name=${proc.replaceAll(/\W/g, '-')}`,
      'spec.operation.listen=127.0.0.1:0',
      // Longer than it takes to start a command on a busy machine: the first to ask must find the lease fresh.
      'spec.operation.lease.seconds=15',
    ].flatMap((setting) => ['--set', setting]);
    const args = ['coordinator', small.runFile, '--resume=auto', ...flags];
    const start = () => {
      const command = new CommandLine(args, { cwd: small.folder, within });
      onTestFinished(() => command.kill('SIGKILL'));
      return command;
    };
    const leader = start();
    await leader.line('waiting for workers');
    const refused = await runCommandLine(args, { cwd: small.folder, within });
    expect([refused.exitCode, refused.stderr]).toEqual([
      73,
      expect.stringContaining('is in use by process 1 on '),
    ]);

    // Its successor waits for the lease, unless the kernel gives it the number of the namespace that ended.
    leader.kill('SIGKILL');
    await leader.ended;
    for (;;) {
      const next = start();
      const took = await Promise.race([
        next.line('waiting for workers').then(() => true),
        next.ended.then(({ exitCode }) => {
          expect(exitCode).toBe(73);
          return false;
        }),
      ]);
      if (took) break;
    }
  },
);
