import { type Console, openConsole } from '../console/console.js';
import { print } from '../console/output.js';
import { formatTable } from '../console/table.js';
import { checkDatasetFit } from '../run/dataset-fit.js';
import type { TrainingRun } from '../run/training-run.js';
import { localWorkerCount } from '../schedule/worker-count.js';
import { measureSpeed } from '../worker/measure-speed.js';
import { countsOf } from './dataset-counts.js';
import { speedOfDoctor } from './doctor-speed.js';
import { givenSpeed, type Speed } from './duration.js';
import { estimateRun, type RunEstimate } from './estimate.js';
import { describeLines } from './lines.js';

export interface SpeedSource {
  /** Training speed of one device. */
  readonly imagesPerSecond: number | undefined;
  /** A file that `doctor RUN.yaml --json` printed. */
  readonly doctor: string | undefined;
}

/**
 * `fcaenet estimate`: the size of a run, as tables on a terminal, otherwise as one JSON line.
 * @param devices of each worker
 * @param source of a device's speed; without one it is measured here
 * @throws the errors of the dataset's reader, RunFileError when the run does not fit its dataset, or doctor's file not
 * the run, EngineError when there is no engine to measure
 */
export async function showEstimate(run: TrainingRun, devices: number, source: SpeedSource): Promise<void> {
  const console = openConsole('result');
  try {
    const { source: countsFrom, format, ...counts } = await countsOf(run);
    checkDatasetFit(run, { format, trainCount: counts.train });
    const speed = await speedFrom(source, console, run, devices);
    // How many processors this machine has says nothing of workers with several devices.
    const workers = devices > 1 && run.spec.operation.workers === 'auto' ? [] : [localWorkerCount(run)];
    const estimate = estimateRun(run, counts, workers, devices, speed);
    if (console.isTerminal) await print(estimateTables(estimate));
    else {
      const { metadata } = run;
      const { trainedImagesPerSecond, encodedImagesPerSecond } = speed;
      console.log.info('estimate', {
        run: metadata.name,
        counts: countsFrom,
        ...counts,
        trainedImagesPerSecond,
        encodedImagesPerSecond,
        ...estimate,
      });
    }
  } finally {
    console.close();
  }
}

async function speedFrom(
  { imagesPerSecond, doctor }: SpeedSource,
  console: Console,
  run: TrainingRun,
  devices: number,
): Promise<Speed> {
  if (imagesPerSecond !== undefined) return givenSpeed(imagesPerSecond);
  return doctor === undefined ? measured(console, run) : speedOfDoctor(doctor, run.spec, devices);
}

async function measured({ log }: Console, { spec }: TrainingRun): Promise<Speed> {
  log.info('measuring one worker on this machine');
  const { description, ...speed } = await measureSpeed(spec);
  log.info('measured', { ...speed, engine: description.name, device: description.device });
  return speed;
}

/** The size of the run, then its needs with different numbers of workers. */
export function estimateTables(estimate: RunEstimate): string {
  const number = (value: number) => Math.round(value).toLocaleString('en-GB');
  const what = [
    ['optimiser steps', number(estimate.steps)],
    ['images, forward and backward', number(estimate.trainedImages)],
    ['images, forward only', number(estimate.encodedImages)],
    ['image cache, on each machine', bytes(estimate.cacheBytes)],
    ['weights', bytes(estimate.weightBytes)],
    ['most workers of use', number(estimate.usefulWorkers.at(-1)!)],
  ];
  const lines = estimate.fleets[0]!.lines.map(({ gigabitsPerSecond }) => `${gigabitsPerSecond} Gbit/s`);
  const columns = [
    ...['workers', 'devices', 'hours', 'sent', 'received', 'sent by a worker', 'received by it', 'line'],
    ...lines,
  ].map((title) => ({ title, isNumber: true }));
  const fleets = estimate.fleets.map(({ workers, devices, hours, ...fleet }) => [
    number(workers),
    number(workers * devices),
    hours === null ? '-' : hours.toFixed(hours < 10 ? 2 : 1),
    bytes(fleet.sentBytes),
    bytes(fleet.receivedBytes),
    bytes(fleet.workerSentBytes),
    bytes(fleet.workerReceivedBytes),
    fleet.lineBytesPerSecond === null ? '-' : `${bytes(fleet.lineBytesPerSecond)}/s`,
    ...fleet.lines.map(({ addedShare }) => `+${(100 * addedShare).toFixed(addedShare < 0.1 ? 1 : 0)}%`),
  ]);
  return `${formatTable(
    [
      { title: 'the whole run', isNumber: false },
      { title: '', isNumber: true },
    ],
    what,
  )}\n${formatTable(columns, fleets)}${lines.length > 0 ? `\n${describeLines(estimate.fleets)}` : ''}`;
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
