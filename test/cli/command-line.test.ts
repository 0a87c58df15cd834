import { expect, test } from 'vitest';
import { readTrainingRun } from '../../src/run/read.js';
import { parseCommandLine } from './support.js';

const quick = 'examples/quick.yaml';

test('train reads the run file, then --set, then --workers', async () => {
  expect(
    await parseCommandLine(
      ...['train', quick, '--workers', '3', '--set', 'spec.bits=12', '--set', 'metadata.name=x'],
    ),
  ).toEqual([
    {
      action: 'train',
      options: [
        {
          run: readTrainingRun(quick, ['spec.bits=12', 'metadata.name=x', 'spec.operation.workers=3']),
          resume: 'new',
        },
      ],
    },
  ]);
});

test.each([
  ['train', [quick], 'new'],
  ['train', [quick, '--resume'], 'resume'],
  ['train', ['--resume', quick], 'resume'],
  ['train', [quick, '--resume=auto'], 'auto'],
  ['train', ['--resume=auto', quick], 'auto'],
  ['coordinator', [quick, '--resume=auto'], 'auto'],
])('%s %j: %s', async (command, args, resume) => {
  const [call] = await parseCommandLine(command, ...args);
  expect(call).toMatchObject({ options: [{ resume }] });
});

test('a coordinator tells late workers of the end for as long as it is told to', async () => {
  const args = ['coordinator', 'examples/quick.yaml'];
  expect(await parseCommandLine(...args)).toMatchObject([{ options: [{ farewellSeconds: null }] }]);
  expect(await parseCommandLine(...args, '--farewell', '120')).toMatchObject([
    { options: [{ farewellSeconds: 120 }] },
  ]);
});

test('a worker shares the usual cache unless told another', async () => {
  const needed = ['worker', '--connect', '[::1]:7400', '--data', 'd'];
  const cache = { directory: '.cache/images', limitBytes: 32 * 1024 ** 3 };
  expect(await parseCommandLine(...needed)).toEqual([
    {
      action: 'work',
      options: [
        {
          connect: '[::1]:7400',
          proxy: null,
          connectTimeoutSeconds: 30,
          reconnectTimeoutSeconds: 600,
          data: 'd',
          cache,
          tls: undefined,
          joinTokenFile: undefined,
          name: undefined,
          expectRestart: false,
          hidesGpus: false,
          peering: { listen: null, advertise: null },
        },
      ],
    },
  ]);
  expect(
    await parseCommandLine(...needed, '--cache', 'c', '--cache-limit-bytes', '0', '--name', 'w'),
  ).toMatchObject([{ options: [{ cache: { directory: 'c', limitBytes: 0 }, name: 'w' }] }]);
  expect(await parseCommandLine(...needed, '--proxy', 'proxy.example:3128')).toMatchObject([
    { options: [{ proxy: 'proxy.example:3128' }] },
  ]);
});

test.each([
  ['all', 'all'],
  ['none', 'none'],
  ['auto', 'auto'],
  ['0,2', [0, 2]],
  ['GPU-1a2b, MIG-3c4d', ['GPU-1a2b', 'MIG-3c4d']],
])('train --devices %s is the setting of the run file', async (text, devices) => {
  const calls = await parseCommandLine('train', 'examples/quick.yaml', '--devices', text);
  expect(calls).toMatchObject([{ options: [{ run: { spec: { operation: { devices } } } }] }]);
});

test('worker --devices and --processes have all options of a worker', async () => {
  const needed = ['worker', '--connect', '[::1]:7400', '--data', 'd'];
  const given = ['--cache', 'c', '--cache-limit-bytes', '5', '--join-token-file', 't', '--expect-restart'];
  const options = {
    connect: '[::1]:7400',
    proxy: null,
    connectTimeoutSeconds: 30,
    reconnectTimeoutSeconds: 600,
    data: 'd',
    cache: { directory: 'c', limitBytes: 5 },
    joinTokenFile: 't',
    peering: { listen: null, advertise: null },
    name: 'w',
    expectRestart: true,
  };
  for (const [flags, on] of [
    [['--devices', '0,GPU-1a2b'], { devices: ['0', 'GPU-1a2b'] }],
    [['--processes', '2'], { processes: 2 }],
    [['--processes', '2', '--devices', 'none'], { processes: 2 }],
    [['--planned'], 'planned'],
  ] as const) {
    expect(await parseCommandLine(...needed, ...given, '--name', 'w', ...flags)).toEqual([
      { action: 'workOnDevices', options: [{ ...options, tls: undefined, on }] },
    ]);
  }
  for (const [devices, hidesGpus] of [
    ['none', true],
    ['auto', false],
  ] as const) {
    expect(await parseCommandLine(...needed, '--devices', devices)).toMatchObject([
      { action: 'work', options: [{ hidesGpus }] },
    ]);
  }
});

test('a worker takes certificate, key and authority together, and its token from a file', async () => {
  const flags = [
    '--tls-certificate',
    'c',
    '--tls-key',
    'k',
    '--tls-authority',
    'a',
    '--join-token-file',
    't',
  ];
  expect(await parseCommandLine('worker', '--connect', 'host:1', '--data', 'd', ...flags)).toMatchObject([
    { options: [{ tls: { certificate: 'c', key: 'k', authority: 'a' }, joinTokenFile: 't' }] },
  ]);
});

test('a worker listens for others where it is told to, beyond loopback only with certificates', async () => {
  const needed = ['worker', '--connect', 'host:1', '--data', 'd'];
  const tls = ['--tls-certificate', 'c', '--tls-key', 'k', '--tls-authority', 'a'];
  const asked = ['--peer-listen', '0.0.0.0:7500', '--advertise'];
  for (const [text, advertise] of [
    ['10.0.0.5', { host: '10.0.0.5', port: null }],
    ['rack-3.example:7600', { host: 'rack-3.example', port: 7600 }],
    ['[fd00::5]', { host: 'fd00::5', port: null }],
    ['fd00::5', { host: 'fd00::5', port: null }],
  ] as const) {
    expect(await parseCommandLine(...needed, ...tls, ...asked, text)).toMatchObject([
      { options: [{ peering: { listen: { host: '0.0.0.0', port: 7500 }, advertise } }] },
    ]);
  }
  expect(await parseCommandLine(...needed, '--peer-listen', '127.0.0.1:0')).toMatchObject([
    { options: [{ peering: { listen: { host: '127.0.0.1', port: 0 } } }] },
  ]);
  await expect(parseCommandLine(...needed, '--peer-listen', '0.0.0.0:7500')).rejects.toMatchObject({
    code: 'USAGE',
    message:
      '--peer-listen 0.0.0.0:7500 is not a loopback address, but without --tls-certificate a worker listens for others only on loopback',
  });
  await expect(parseCommandLine(...needed, '--advertise', 'host:1:2')).rejects.toMatchObject({
    message: expect.stringContaining('HOST or HOST:PORT, with IPv6 addresses in brackets before a port'),
  });
});

test('certs make takes the coordinator’s names', async () => {
  expect(await parseCommandLine('certs', 'make', 'd', '--name', 'a.example', '--name', '10.0.0.5')).toEqual([
    { action: 'makeCerts', options: [{ directory: 'd', names: ['a.example', '10.0.0.5'], days: 365 }] },
  ]);
});

test('evaluate takes data and workers from the run unless told', async () => {
  expect(await parseCommandLine('evaluate', 'runs/a')).toEqual([
    {
      action: 'evaluate',
      options: [{ runDirectory: 'runs/a', data: undefined, workers: undefined, classes: false, json: false }],
    },
  ]);
  expect(await parseCommandLine('evaluate', 'runs/a', '--data', 'd', '--workers', '2')).toMatchObject([
    { options: [{ data: 'd', workers: 2 }] },
  ]);
});

test('runs compare looks for the step, microbatch and tensor when it is asked to', async () => {
  expect(await parseCommandLine('runs', 'compare', 'runs/a', 'runs/b')).toEqual([
    { action: 'compare', options: ['runs/a', 'runs/b'] },
  ]);
  const asked = ['--bisect', '--data', 'd', '--workers', '2'];
  expect(await parseCommandLine('runs', 'compare', ...asked, 'runs/a', 'runs/b')).toEqual([
    { action: 'bisect', options: [{ first: 'runs/a', second: 'runs/b', data: 'd', workers: 2 }] },
  ]);
});

test.each([
  ['--data', 'd'],
  ['--workers', '2'],
])('runs compare refuses %s without --bisect', async (option, value) => {
  await expect(parseCommandLine('runs', 'compare', option, value, 'runs/a', 'runs/b')).rejects.toMatchObject({
    code: 'USAGE',
    exitCode: 64,
    message: `runs compare accepts ${option} ${value} only with --bisect`,
  });
});

test('dataset make and check', async () => {
  expect(await parseCommandLine('dataset', 'make', 'd', '--species', '5', '--seed', '0')).toEqual([
    { action: 'make', options: ['d', { species: 5, seed: 0 }] },
  ]);
  expect(await parseCommandLine('dataset', 'check', 'd', '--deep')).toEqual([
    {
      action: 'check',
      options: ['d', { deep: true, subset: false, fingerprint: undefined, cache: '.cache/images' }],
    },
  ]);
});

test('dataset check takes the fingerprint that is expected, in digits of either case', async () => {
  const digest = '0123456789abcdef'.repeat(4);
  const flags = ['dataset', 'check', 'd', '--fingerprint'];
  expect(await parseCommandLine(...flags, digest.toUpperCase())).toMatchObject([
    { options: ['d', { fingerprint: digest }] },
  ]);
  await expect(parseCommandLine(...flags, digest.slice(1))).rejects.toMatchObject({
    code: 'USAGE',
    exitCode: 64,
    message: expect.stringMatching(/ '123456789abcdef\S+' is invalid\. It must be 64 hexadecimal digits;/),
  });
});

test('start takes a folder, workers and settings', async () => {
  expect(await parseCommandLine('start')).toMatchObject([{ action: 'start', options: [{ set: [] }] }]);
  expect(
    await parseCommandLine('start', '--data', 'd', '--workers', '1', '--set', 'spec.bits=8'),
  ).toMatchObject([{ options: [{ data: 'd', workers: 1, set: ['spec.bits=8'] }] }]);
});

const worker = ['worker', '--connect', 'host:1', '--data', 'd'];
test.each([
  [[], 'no command is given; --help lists them'],
  [['trian', quick], "unknown command 'trian'; did you mean train?"],
  [['train'], "missing required argument 'RUN.yaml'; --help lists commands and options"],
  [['train', quick, 'more'], /^too many arguments.* but got 2; --help lists commands and options$/],
  [['train', quick, '--wrokers', '2'], "unknown option '--wrokers'; did you mean --workers?"],
  [
    ['train', quick, '--epochs', '5'],
    "unknown option '--epochs'; did you mean --set spec.schedule.epochs=5?",
  ],
  [['train', quick, '--epochs=5'], "unknown option '--epochs=5'; did you mean --set spec.schedule.epochs=5?"],
  [
    ['train', quick, '--batch-size'],
    "unknown option '--batch-size'; did you mean --set spec.schedule.batchSize=VALUE?",
  ],
  [['coordinator', quick, '--seed', '3'], "unknown option '--seed'; did you mean --set spec.seed=3?"],
  [['train', quick, '--name', 'a b'], "unknown option '--name'; did you mean --set metadata.name=VALUE?"],
  [[...worker, '--epochs', '5'], "unknown option '--epochs'; --help lists commands and options"],
  [['train', quick, '--schedule', '5'], "unknown option '--schedule'; --help lists commands and options"],
  [['train', quick, '--constructor'], "unknown option '--constructor'; --help lists commands and options"],
  [
    ['train', quick, `--${'x'.repeat(500)}`],
    `unknown option '--${'x'.repeat(78)}…'; --help lists commands and options`,
  ],
  [['a\u001b[2Jb'], "unknown command 'a\\u001b[2Jb'; --help lists commands and options"],
  [['train', quick, '--resume=never'], /^unknown option '--resume=never'/],
  [['start', '--resume=auto'], /^unknown option '--resume=auto';/],
  [['train', quick, '--workers', '0'], /'0' is invalid\. It must be a whole number from 1 to 1024;/],
  [['train', quick, '--workers', '1.5'], /'1\.5' is invalid\. It must be a whole number from 1 to 1024;/],
  [['train', quick, '--set'], /^option '--set <path=value>' argument missing;/],
  [['worker', '--data', 'd'], /^required option '--connect <host:port>' not specified;/],
  [
    ['train', quick, '--devices', '0,some'],
    /'0,some' is invalid\. It must be all, none, auto, or numbers and UUIDs of GPUs/,
  ],
  [['worker', '--connect', 'host', '--data', 'd'], /'host' is invalid\. It must be HOST:PORT/],
  [['worker', '--connect', 'host:0', '--data', 'd'], /'host:0' is invalid\. It must be HOST:PORT/],
  [[...worker, '--cache-limit-bytes', '-1'], /'-1' is invalid\. It must be a whole number from 0 to/],
  [[...worker, '--tls-key', 'k'], '--tls-certificate, --tls-key and --tls-authority must be given together'],
  [['certs', 'make', 'd', '--name', 'a:1'], /'a:1' is invalid\. It must be a host name or an IP address/],
  [['certs', 'make', 'd', '--days', '0'], /'0' is invalid\. It must be a whole number from 1 to 3650;/],
  [['dataset'], 'no command is given; --help lists them'],
  [
    ['dataset', 'make', ''],
    "argument 'DIR' is empty, but must have a value; --help lists commands and options",
  ],
  [['search', 'runs/a', 'a.jpg', ''], /^argument 'IMAGE' is empty, but must have a value;/],
  [
    ['export', 'runs/a', '--format', 'npy', '--output', ''],
    /^the value of '--output <\S+>' is empty, but must/,
  ],
  [['table', quick, '--set-from', 't.json', '--set-from', ''], /^the value of '--set-from <file>' is empty/],
  [['dataset', 'make', 'd', '--species', '21'], /'21' is invalid\. It must be a whole number from 2 to 20;/],
])('%j is refused in one sentence with exit code 64', async (args, message) => {
  await expect(parseCommandLine(...args)).rejects.toMatchObject({
    name: 'UsageError',
    code: 'USAGE',
    exitCode: 64,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
});

test('errors of the run file are not errors of usage', async () => {
  await expect(parseCommandLine('train', quick, '--set', 'spec.bits=0')).rejects.toMatchObject({
    code: 'RUN_FIELD_INVALID',
    exitCode: 78,
  });
});

test('a control command is a request for a run, by its directory or over a NATS server', async () => {
  expect(await parseCommandLine('status')).toEqual([
    {
      action: 'control',
      options: [{ request: { command: 'status' }, run: undefined, nats: undefined, json: false }],
    },
  ]);
  const flags = ['--run', 'quick', '--nats', 'tls://[::1]:4222', '--json'];
  expect(await parseCommandLine('drain', 'local-1', ...flags)).toEqual([
    {
      action: 'control',
      options: [
        {
          request: { command: 'drain', worker: 'local-1' },
          run: 'quick',
          nats: 'tls://[::1]:4222',
          json: true,
        },
      ],
    },
  ]);
  for (const url of ['127.0.0.1:4222', 'http://127.0.0.1:4222', 'nats://127.0.0.1']) {
    await expect(parseCommandLine('pause', '--nats', url)).rejects.toThrow('It must be nats://HOST:PORT');
  }
});

test('report takes one to four runs', async () => {
  expect(await parseCommandLine('report', 'runs/a', 'runs/b', '--output', 'ab.html')).toEqual([
    {
      action: 'report',
      options: [{ runDirectories: ['runs/a', 'runs/b'], output: 'ab.html', data: undefined }],
    },
  ]);
  await expect(parseCommandLine('report', 'a', 'b', 'c', 'd', 'e')).rejects.toThrow(
    'report got 5 run directories, but compares at most 4',
  );
  await expect(parseCommandLine('report')).rejects.toThrow('RUN_DIR');
});
