import { readFileSync } from 'node:fs';
import { loadDataset } from '../../src/data/dataset.js';
import { protocolVersion } from '../../src/transport/service.js';
import { CommandLine, runCommandLine } from './command-line.js';
import { fuzz } from './fuzz.js';
import { smallRun } from './small-run.js';

export interface FuzzedRun {
  readonly seed: number;
  /** Messages from strangers before a worker is there. */
  readonly before: number;
  /** Messages while the run goes on, from strangers and from those who said a good hello. */
  readonly during: number;
  readonly iterations: number;
}

/** A small run of real processes on whose port fuzzed messages arrive, and the same run in peace. */
export async function fuzzedRun({ seed, before, during, iterations }: FuzzedRun) {
  const small = await smallRun();
  try {
    const cwd = small.folder;
    const set = (name: string) =>
      [
        `metadata.name=${name}`,
        `spec.schedule.iterations=${iterations}`,
        'spec.operation.metrics=127.0.0.1:0',
      ].flatMap((setting) => ['--set', setting]);
    const peaceful = await runCommandLine(['train', small.runFile, '--workers', '1', ...set('peaceful')], {
      cwd,
    });
    const coordinator = new CommandLine(['coordinator', small.runFile, ...set('fuzzed')], { cwd });
    const address = String((await coordinator.line('waiting for workers')).address);
    const { url } = await coordinator.line('metrics');
    const residentMiB = () =>
      Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${coordinator.pid}/status`, 'utf8'))![1]) / 1024;

    // Code is compiled and buffers are pooled by the first messages.
    await fuzz({ address, seed, messages: Math.min(500, before), hello: null });
    const startMiB = residentMiB();
    let mostMiB = startMiB;
    const watch = setInterval(() => {
      mostMiB = Math.max(mostMiB, residentMiB());
    }, 50);
    await fuzz({ address, seed: seed + 1, messages: Math.max(0, before - 500), hello: null });
    clearInterval(watch);

    const worker = new CommandLine(['worker', '--connect', address, '--data', 'data', '--cache', 'cache'], {
      cwd,
    });
    await coordinator.line('checkpoint written');
    const { fingerprint } = await loadDataset(`${cwd}/data`);
    const hello = { protocolVersion, datasetFingerprint: fingerprint };
    await fuzz({ address, seed: seed + 2, messages: during, hello });
    const scraped = await (await fetch(String(url))).text();
    const endings = await Promise.all([coordinator.ended, worker.ended]);
    return {
      endings: [peaceful, ...endings].map(({ exitCode, stderr }) => ({ exitCode, stderr })),
      refused: [...scraped.matchAll(/^fcaenet_refused_connections_total\{.*\} (\d+)$/gm)].reduce(
        (sum, match) => sum + Number(match[1]),
        0,
      ),
      grownMiB: mostMiB - startMiB,
      results: [await small.result('peaceful'), await small.result('fuzzed')].map(
        ({ weightsSha256, codesSha256 }) => ({ weightsSha256, codesSha256 }),
      ),
    };
  } finally {
    await small.remove();
  }
}
