import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/** Runs the rest of its arguments where the memory file system was mounted anew. */
const within = (options: string) => [
  ...['unshare', '--mount', 'sh', '-c'],
  `mount -t tmpfs -o ${options} tmpfs /dev/shm && exec "$@"`,
  'sh',
];

function whyNot(): string {
  try {
    execFileSync('unshare', within('size=1m').slice(1).concat('true'), { stdio: 'ignore' });
    return '';
  } catch {
    return ' (skipped: needs unshare and the right to mount)';
  }
}
const missing = whyNot();

describe.skipIf(missing !== '')(`local workers on a machine whose memory file system${missing}`, () => {
  let small: SmallRun;
  beforeAll(async () => {
    small = await smallRun();
  });
  afterAll(() => small.remove());

  const train = async (name: string, mounted?: readonly string[]) => {
    const settings = [`metadata.name=${name}`, 'spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
    const set = settings.flatMap((setting) => ['--set', setting]);
    const args = ['train', small.runFile, '--workers', '2', ...set];
    const ending = await runCommandLine(args, {
      cwd: small.folder,
      ...(mounted ? { within: mounted } : {}),
    });
    expect({ exitCode: ending.exitCode, stderr: ending.stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { weightsSha256, codesSha256 } = await small.result(name);
    const said = ending.lines.map(({ message, said }) => String(said ?? message));
    return { bits: { weightsSha256, codesSha256 }, said: said.filter((text) => text.includes('gRPC')) };
  };

  test('has room, is too small or cannot be written to: the same bits, and the log says which', async () => {
    const { bits, said } = await train('room');
    expect(said).toEqual([]);
    const tight = await train('small', within('size=64k'));
    expect(tight.bits).toEqual(bits);
    expect(new Set(tight.said)).toEqual(
      new Set([
        'no space for weights in shared memory; sending tensors over gRPC',
        'no space for gradients in shared memory; sending them over gRPC',
      ]),
    );
    const none = await train('none', within('ro'));
    expect(none.bits).toEqual(bits);
    expect(none.said).toEqual(['no memory can be shared with local workers; sending tensors over gRPC']);
  });
});
