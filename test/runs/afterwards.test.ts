import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { interruptProcess } from '../../src/console/interrupt.js';
import { ExitCode } from '../../src/errors.js';
import { exportRun } from '../../src/export/command.js';
import { exportedFiles } from '../../src/export/export-run.js';
import { auditRun } from '../../src/inspection/audit.js';
import { compareRuns } from '../../src/inspection/runs/compare-runs.js';
import { comparisonTables, runsTable } from '../../src/inspection/runs/show-runs.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { failure } from '../kit/failure.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/** Four steps. */
const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
let small: SmallRun;
let one: string;
let other: string;
let killed: string;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

const train = (name: string, ...settings: string[]) => [
  'train',
  small.runFile,
  '--workers',
  '1',
  ...[`metadata.name=${name}`, ...settings].flatMap((setting) => ['--set', setting]),
];

beforeAll(async () => {
  small = await smallRun();
  [one, other, killed] = ['one', 'other', 'killed'].map((name) => join(small.folder, 'runs', name)) as [
    string,
    string,
    string,
  ];
  const first = await runCommandLine(train('one', ...short), { cwd: small.folder });
  expect([first.exitCode, first.stderr]).toEqual([0, '']);
  const second = await runCommandLine(train('other', ...short, 'spec.seed=1', 'spec.loss.gamma=100'), {
    cwd: small.folder,
  });
  expect([second.exitCode, second.stderr]).toEqual([0, '']);
  const third = new CommandLine(train('killed'), { cwd: small.folder });
  await third.line('checkpoint written', ({ name }) => String(name).endsWith('2'));
  const running = await runCommandLine(['runs'], { cwd: small.folder });
  expect(running.lines).toContainEqual(expect.objectContaining({ run: 'killed', state: 'running' }));
  third.kill('SIGKILL');
  await third.ended;
});
afterAll(() => small.remove());

describe('runs', () => {
  test('are listed with state, position and mAP', async () => {
    const { exitCode, stderr, lines } = await runCommandLine(['runs', 'list', 'runs'], { cwd: small.folder });
    expect([exitCode, stderr]).toEqual([0, '']);
    const { mAP, seconds } = await small.result('one');
    const finished = { state: 'finished', method: 'fcaenet', bits: 12, iteration: 1, iterations: 1, step: 4 };
    expect(lines).toMatchObject([
      { run: 'killed', state: 'interrupted', iterations: 3 },
      { run: 'one', ...finished, mAP, seconds },
      { run: 'other', ...finished },
    ]);
  });

  test('are a table for people', () => {
    const run = { method: 'fcaenet', bits: 12, iteration: 1, iterations: 3, step: 4 } as const;
    const table = runsTable([
      { ...run, run: 'a', state: 'finished', mAP: 0.51239, seconds: 12.4 },
      { ...run, run: 'long-name', state: 'interrupted', mAP: null, seconds: null },
    ]);
    expect(table).toBe(
      [
        'run        state        method   bits  iteration  step     mAP  seconds',
        'a          finished     fcaenet    12        1/3     4  0.5124       12',
        'long-name  interrupted  fcaenet    12        1/3     4       -        -',
        '',
      ].join('\n'),
    );
  });

  test('are compared by settings, digests, gradients and mAP', async () => {
    const comparison = await compareRuns(one, other);
    expect(comparison.settings).toEqual({
      'spec.seed': { first: 0, second: 1 },
      'spec.loss.gamma': { first: 200, second: 100 },
    });
    const { weightsSha256, mAP } = await small.result('one');
    expect(comparison.digests.weightsSha256.first).toBe(weightsSha256);
    expect(comparison.digests.weightsSha256.second).not.toBe(weightsSha256);
    expect(comparison.digests.dataset.first).toBe(comparison.digests.dataset.second);
    expect(comparison.partedAtStep).toBe(1);
    expect(comparison.mAP).toMatchObject([{ iteration: 1, first: mAP }]);
    expect(comparisonTables(comparison)).toMatch(/^spec\.loss\.gamma +200 +100$/m);
  });

  test('that are one run differ in nothing', async () => {
    const { settings, partedAtStep } = await compareRuns(one, one);
    expect([settings, partedAtStep]).toEqual([{}, null]);
  });

  test('are on a page, with what their files say', async () => {
    const ui = new CommandLine(['ui', 'runs'], { cwd: small.folder });
    onTestFinished(() => ui.kill('SIGKILL'));
    const { url } = await ui.line('page of the runs; Ctrl-C ends it');
    const get = async (path: string) => (await fetch(`${url}api/runs${path}`)).json();
    const { mAP, imagesPerSecond, history } = await small.result('one');
    expect(await get('')).toMatchObject({
      server: 'folder',
      runs: [
        { run: 'killed', state: 'interrupted' },
        { run: 'one', state: 'finished', iteration: 1, mAP },
        { run: 'other', state: 'finished' },
      ],
    });
    expect(await get('/one')).toMatchObject({
      state: 'finished',
      mAP,
      imagesPerSecond,
      position: { globalStep: 4 },
      stepsPerEpoch: 2,
      settings: { 'spec.seed': 0 },
      iterationsDone: [
        { iteration: 1, losses: { similarity: expect.closeTo(history[0]!.losses.similarity!, 3) } },
      ],
      events: expect.arrayContaining([expect.objectContaining({ text: 'the run started' })]),
      checkpoints: expect.arrayContaining([expect.objectContaining({ name: 'term-000001-step-0000000004' })]),
      control: false,
    });
    expect(await get('/killed')).toMatchObject({ state: 'interrupted', waitsFor: 'for --resume' });
    for (const name of ['..', '%2e%2e%2fone', 'none', 'one%2fcheckpoints']) {
      expect((await fetch(`${url}api/runs/${name}/events`)).status, name).toBe(404);
    }
    const port = new URL(String(url)).port;
    const second = await runCommandLine(['ui', 'runs', '--port', port], { cwd: small.folder });
    expect([second.exitCode, second.stderr]).toEqual([
      ExitCode.unavailable,
      `fcaenet: port ${port} on 127.0.0.1 is in use; choose another with --port, or omit it to take a free one.\n`,
    ]);
    ui.kill('SIGINT');
    expect((await ui.ended).exitCode).toBe(0);
  });

  test('a run that cannot be read is a warning, and a folder that is not there an error', async () => {
    const broken = join(small.folder, 'broken', 'x');
    cpSync(one, broken, { recursive: true });
    writeFileSync(join(broken, 'run.yaml'), 'spec: [');
    const { lines, exitCode } = await runCommandLine(['runs', 'broken'], { cwd: small.folder });
    expect(lines).toMatchObject([{ level: 'warn', message: 'a run cannot be read', path: 'broken/x' }]);
    expect(exitCode).toBe(0);
    const absent = await runCommandLine(['runs', 'nowhere'], { cwd: small.folder });
    expect(absent.stderr).toBe('fcaenet: the folder of runs nowhere cannot be read (ENOENT).\n');
    expect(absent.exitCode).toBe(ExitCode.missingInput);
    const unseen = await runCommandLine(['ui', 'nowhere'], { cwd: small.folder });
    expect([unseen.stderr, unseen.exitCode]).toEqual([absent.stderr, absent.exitCode]);
  });
});

describe('an audit', () => {
  /** What the audit says of a copy of the finished run that was changed. */
  async function audited(change: (copy: string) => void): Promise<unknown> {
    const copy = join(small.folder, 'runs', 'copy');
    cpSync(one, copy, { recursive: true });
    try {
      change(copy);
      return await auditRun({ runDirectory: copy, data: join(small.folder, 'data'), log: silent });
    } catch (error) {
      return error;
    } finally {
      rmSync(copy, { recursive: true });
    }
  }
  const edit = (file: string, change: (text: string) => string) => (copy: string) =>
    writeFileSync(join(copy, file), change(readFileSync(join(copy, file), 'utf8')));
  const lastLineLeftOut = (text: string) => `${text.split('\n').slice(0, -2).join('\n')}\n`;

  test('finds nothing in a copy that was not changed', async () => {
    const { weightsSha256, codesSha256 } = await small.result('one');
    expect(await audited(() => {})).toMatchObject({ steps: 4, samples: 20, weightsSha256, codesSha256 });
  });

  test.each<[string, (copy: string) => void, string, RegExp]>([
    [
      'a step is missing at the end',
      edit('ledger-000001.jsonl', lastLineLeftOut),
      'LEDGER_UNFINISHED',
      /^the ledger ends after 3 of the run's 4 steps$/,
    ],
    [
      'the result has other digests',
      edit('result.json', (text) => text.replace(/"codesSha256": "\w{4}/, '"codesSha256": "0000')),
      'LEDGER_MISMATCH',
      /^the result has codesSha256 0000\w+, but the final checkpoint has \w+$/,
    ],
    [
      'the result is JSON but not a result',
      edit('result.json', () => '{"term": 1}'),
      'RUN_RESULT_DAMAGED',
      /result\.json is damaged: its field run is missing \(.*\); delete the file, and --resume writes it again$/,
    ],
    [
      'there is no result',
      (copy) => rmSync(join(copy, 'result.json')),
      'LEDGER_UNFINISHED',
      /copy has no result yet$/,
    ],
    [
      'the final checkpoint is missing',
      (copy) => rmSync(join(copy, 'checkpoints', 'term-000001-step-0000000004'), { recursive: true }),
      'LEDGER_UNFINISHED',
      /^the newest checkpoint has 0 of the run's 1 iterations$/,
    ],
    [
      'there is no ledger',
      (copy) => rmSync(join(copy, 'ledger-000001.jsonl')),
      'LEDGER_MISSING',
      /^there is no ledger in .*copy$/,
    ],
    [
      'the ledger is of another run',
      (copy) => cpSync(join(other, 'ledger-000001.jsonl'), join(copy, 'ledger-000001.jsonl')),
      'LEDGER_FOREIGN',
      /belongs to a run with trainingHash \w+, expected \w+$/,
    ],
  ])('says that %s', async (_, change, code, sentence) => {
    expect(await audited(change)).toMatchObject({
      code,
      exitCode: 65,
      message: expect.stringMatching(sentence),
    });
  });

  test('notices a gradient that is not the one the checkpoint follows from, however well the chain was forged', async () => {
    const { readLedger } = await import('../../src/ledger/reader.js');
    const { chainStart, ledgerLine, readHeader } = await import('../../src/ledger/entry.js');
    const forge = async (copy: string) => {
      const path = join(copy, 'ledger-000001.jsonl');
      const { header } = readHeader(readFileSync(path, 'utf8').split('\n')[0]!);
      const { steps } = await readLedger(path, header);
      const lines = [ledgerLine(header, chainStart)];
      for (const step of steps.with(2, { ...steps[2]!, gradientSha256: '0'.repeat(64) })) {
        lines.push(ledgerLine(step, lines.at(-1)!.hash));
      }
      writeFileSync(path, lines.map(({ text }) => `${text}\n`).join(''));
    };
    const forged = join(small.folder, 'runs', 'forged');
    cpSync(one, forged, { recursive: true });
    await forge(forged);
    const audit = await runCommandLine(['audit', 'runs/forged'], { cwd: small.folder });
    expect(audit.stderr).toMatch(
      /^fcaenet: the ledger ends with hash \w+ after step 4, but the final checkpoint [^\n]+\.\n$/,
    );
    expect(audit.exitCode).toBe(ExitCode.badData);
    rmSync(forged, { recursive: true });
  });

  test('of a run that was killed says how far it got', async () => {
    const audit = await runCommandLine(['audit', killed], { cwd: small.folder });
    expect(audit.stderr).toMatch(
      // It depends on the machine's speed at which of its last moments the run was killed.
      /^fcaenet: (the ledger ends [^\n]+ of the run's 12 steps|the newest checkpoint has \d of the run's 3 iterations)\.\n$|middle of line/,
    );
    expect(audit.exitCode).toBe(ExitCode.badData);
  });
});

describe('published weights', () => {
  const weights = (...args: string[]) => runCommandLine(['weights', ...args], { cwd: small.folder });

  test('have a manifest and a model card, and another run starts from them', async () => {
    const { lines, stderr } = await weights('publish', one, 'published', '--license', 'cc-by-4.0');
    const files = ['model.safetensors', 'README.md', 'weights.json'];
    expect([stderr, lines.at(-1)]).toMatchObject(['', { message: 'weights published', files }]);
    const { sha256 } = lines.at(-1) as unknown as { sha256: string };
    const [, metadata, card] = readFileSync(join(small.folder, 'published/README.md'), 'utf8').split('---\n');
    const value = Number((await small.result('one')).mAP!.toFixed(4));
    expect(parse(metadata!)).toMatchObject({
      license: 'cc-by-4.0',
      library_name: 'fcaenet',
      'model-index': [
        { results: [{ metrics: expect.arrayContaining([expect.objectContaining({ name: 'mAP', value })]) }] },
      ],
    });
    expect(card).toMatch(/^\n# one\n.*## Data\n.*## Results\n.*## Limits\n.*## How to use\n.*## Licence\n/s);
    const settings = [...short, 'spec.model.weights=published'];
    const started = await runCommandLine(train('from-published', ...settings), { cwd: small.folder });
    expect([started.exitCode, started.stderr]).toEqual([0, '']);
    expect(started.lines).toContainEqual(expect.objectContaining({ message: 'backbone weights', sha256 }));
    expect((await weights('publish', one, 'published')).stderr).toMatch(
      /^fcaenet: published\/README\.md exists already with other content; add --overwrite [^\n]*\n$/,
    );
    expect((await weights('publish', one, 'x', '--license', 'CC BY')).stderr).toMatch(
      /It must be an identifier of lower-case letters/,
    );
  });
});

describe('export', () => {
  const output = () => join(small.folder, 'exported');
  const exported = (...args: string[]) =>
    runCommandLine(['export', ...args, '--output', output()], { cwd: small.folder });

  test('writes network and codes with a model card, and replaces no file unless it is told to', async () => {
    const first = await exported(one, '--format', 'onnx,torch,safetensors,tfjs,faiss,npy');
    expect([first.exitCode, first.stderr]).toEqual([0, '']);
    const { files } = first.lines.at(-1) as unknown as { files: string[] };
    const found = readdirSync(output(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(output(), join(parentPath, name)));
    expect(found.sort()).toEqual([...files].sort());

    const { pictures, codes } = { pictures: 32, codes: 12 };
    const table = readFileSync(join(output(), 'database.csv'), 'utf8').trimEnd().split('\n');
    expect(table[0]).toBe('id,path,label,class,code');
    expect(table.length).toBe(1 + pictures);
    const bits = table.slice(1).flatMap((line) => [...line.split(',')[4]!]);
    // FAISS has the codes of the table, in bytes whose lowest bit comes first.
    const index = readFileSync(join(output(), 'database.faiss')).subarray(33);
    expect(bits).toEqual(
      Array.from({ length: pictures * codes }, (_, at) => {
        const [row, bit] = [Math.floor(at / codes), at % codes];
        return String((index[2 * row + (bit >> 3)]! >> (bit & 7)) & 1);
      }),
    );
    const card = readFileSync(join(output(), 'MODEL_CARD.md'), 'utf8');
    const { mAP } = await small.result('one');
    expect(card).toContain(`| mean average precision (mAP) over the whole database | ${mAP!.toFixed(4)} |`);
    expect(card).toContain('PLACEHOLDER');

    // The same network once more, its licence filled in, and then another.
    const withLicence = card.replace(/PLACEHOLDER.*/s, 'CC BY 4.0');
    writeFileSync(join(output(), 'MODEL_CARD.md'), withLicence);
    expect((await exported(one, '--format', 'npy,onnx')).lines.at(-1)).toMatchObject({ writtenBytes: 0 });
    const another = await exported(other, '--format', 'npy');
    expect(another.exitCode).toBe(ExitCode.cannotCreate);
    expect(another.stderr).toMatch(/exists already with other content; add --overwrite to replace it/);
    expect(readFileSync(join(output(), 'MODEL_CARD.md'), 'utf8')).toBe(withLicence);
    expect((await exported(other, '--format', 'npy', '--overwrite')).exitCode).toBe(0);
    expect(readFileSync(join(output(), 'MODEL_CARD.md'), 'utf8')).toContain('PLACEHOLDER');
  });

  test('says which formats and checkpoints there are', async () => {
    const format = await exported(one, '--format', 'onnx,keras');
    expect(format.exitCode).toBe(ExitCode.usage);
    expect(format.stderr).toContain('It must be one or more of safetensors, torch, onnx, tfjs, faiss, npy');
    const checkpoint = await exported(one, '--format', 'onnx', '--checkpoint', 'first');
    expect(checkpoint.exitCode).toBe(ExitCode.missingInput);
    expect(checkpoint.stderr).toMatch(/has no checkpoint first; expected last, best or one of term-/);
  });

  test('ends with a signal, and leaves no part of a file', async () => {
    const folder = join(small.folder, 'left');
    const options = { runDirectory: one, formats: ['onnx'], output: folder } as const;
    const ended = expect(exportRun({ ...options, checkpoint: 'last', overwrite: false })).rejects.toEqual(
      failure('EXPORT_INTERRUPTED', /left was interrupted; only complete files are there$/),
    );
    interruptProcess('SIGINT');
    await ended;
    expect(existsSync(folder)).toBe(false);
  });

  test('needs the list of images for codes, and that it is the list of their dataset', async () => {
    const copy = join(small.folder, 'copied');
    cpSync(one, copy, { recursive: true });
    const list = join(copy, 'pictures.json');
    const pictures = JSON.parse(readFileSync(list, 'utf8'));
    writeFileSync(list, JSON.stringify({ ...pictures, fingerprint: 'f'.repeat(64) }));
    await expect(exportedFiles(copy, ['faiss'], 'last')).rejects.toEqual(
      failure(
        'EXPORT_PICTURES_DIFFER',
        /lists the dataset ffffffffffff…, but its codes are of [0-9a-f]{12}…$/,
      ),
    );
    rmSync(list);
    await expect(exportedFiles(copy, ['npy'], 'last')).rejects.toEqual(
      failure('EXPORT_NO_PICTURES', /has no pictures.json, so nothing says which image each code belongs to/),
    );
    expect((await exportedFiles(copy, ['safetensors'], 'best')).files.length).toBe(2);
  });
});
