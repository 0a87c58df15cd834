import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { cgroupLimits } from '../../src/machine/cgroup.js';
import { heapArguments } from '../../src/machine/heap.js';
import { machineResources } from '../../src/machine/resources.js';
import { cgroupsMissing, LimitedGroup } from '../kit/cgroup.js';

const mebibyte = 2 ** 20;
const version2 = '30 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

/** A file system that holds only what says what control groups a process is in. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'fcaenet-machine-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test.each([
  [
    'a container, version 2',
    {
      'proc/self/cgroup': '0::/\n',
      'proc/self/mountinfo': version2,
      'sys/fs/cgroup/cpu.max': '150000 100000\n',
      'sys/fs/cgroup/memory.max': '2147483648\n',
    },
    { processors: 1.5, memoryBytes: 2048 * mebibyte },
  ],
  [
    'a step of a batch job, version 2, whose job has the bounds',
    {
      'proc/self/cgroup': '0::/system.slice/job_7/step_0/task_0\n',
      'proc/self/mountinfo': version2,
      'sys/fs/cgroup/system.slice/job_7/cpu.max': '400000 100000\n',
      'sys/fs/cgroup/system.slice/job_7/memory.max': '1073741824\n',
      'sys/fs/cgroup/system.slice/job_7/step_0/cpu.max': '800000 100000\n',
      'sys/fs/cgroup/system.slice/job_7/step_0/memory.max': 'max\n',
      'sys/fs/cgroup/system.slice/job_7/step_0/task_0/cpu.max': 'max 100000\n',
      'sys/fs/cgroup/system.slice/job_7/step_0/task_0/memory.max': 'max\n',
    },
    { processors: 4, memoryBytes: 1024 * mebibyte },
  ],
  [
    'a container, version 1, that sees its own group mounted under the path of another namespace',
    {
      'proc/self/cgroup': '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n',
      'proc/self/mountinfo':
        '32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n' +
        '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '629145600\n',
    },
    { processors: 0.5, memoryBytes: 600 * mebibyte },
  ],
  [
    'a mount that does not show the group of the process, at a place with a blank',
    {
      'proc/self/cgroup': '0::/../other\n',
      'proc/self/mountinfo': '30 23 0:28 /mine /the\\040groups rw - cgroup2 cgroup2 rw\n',
      'the groups/cpu.max': '200000 100000\n',
      'the groups/memory.max': 'max\n',
    },
    { processors: 2, memoryBytes: null },
  ],
  [
    'groups without bounds',
    {
      'proc/self/cgroup': '3:cpu:/\n0::/\n',
      'proc/self/mountinfo': `32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n`,
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    { processors: null, memoryBytes: null },
  ],
  ['no control groups at all', {}, { processors: null, memoryBytes: null }],
])('%s', (_, files, limits) => {
  expect(cgroupLimits(machine(files))).toEqual(limits);
});

test('a part of a processor is none, but there is always one, and never more than the machine has', () => {
  const processors = (quota: string) =>
    machineResources(
      machine({
        'proc/self/cgroup': '0::/\n',
        'proc/self/mountinfo': version2,
        'sys/fs/cgroup/cpu.max': `${quota} 100000\n`,
        'sys/fs/cgroup/memory.max': '9223372036854771712\n',
      }),
    );
  expect(processors('199999').processors).toBe(1);
  expect(processors('1000').processors).toBe(1);
  expect(processors('99900000')).toEqual({ processors: availableParallelism(), memoryBytes: totalmem() });
});

test.each([
  [1024, 4144, ['--max-old-space-size=512']],
  [1024, 524, []],
  [4096, 2096, []],
  [65536, 4144, []],
])('of %i MiB a heap of up to %i MiB is cut to half', (memory, heap, expected) => {
  expect(heapArguments(memory * mebibyte, heap * mebibyte, '')).toEqual(expected);
});

test('a heap that somebody chose stays', () => {
  const chosen = ['--max-old-space-size=9000', '--inspect --max_old_space_size=9000'];
  for (const each of chosen) expect(heapArguments(1024 * mebibyte, 9000 * mebibyte, each)).toEqual([]);
});

/** What a process of the built program finds, started by `within`. */
function foundWithin(...within: string[]): unknown {
  const url = pathToFileURL('dist/machine/resources.js').href;
  const script = `console.log(JSON.stringify((await import(${JSON.stringify(url)})).machineResources()))`;
  const [program, ...args] = [...within, process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(program!, args, { encoding: 'utf8' }));
}

test.skipIf(cgroupsMissing !== '')(
  `a real control group above the process's own bounds it${cgroupsMissing}`,
  () => {
    const group = new LimitedGroup({ processors: 1, memoryBytes: 1024 * mebibyte });
    try {
      expect(foundWithin(...group.within)).toEqual({ processors: 1, memoryBytes: 1024 * mebibyte });
    } finally {
      group.remove();
    }
  },
);

const tasksetMissing = spawnSync('taskset', ['--version']).error ? ' (skipped: needs taskset)' : '';
test.skipIf(tasksetMissing !== '')(`affinity counts${tasksetMissing}`, () => {
  const [first] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))!.slice(1);
  expect(foundWithin('taskset', '--cpu-list', first!)).toMatchObject({ processors: 1 });
});
