import { type Member, memberStates } from '../../dispatch/member.js';
import type { MemberDevice } from '../../dispatch/member-devices.js';
import type { WorkerTally } from '../../dispatch/worker-tally.js';
import type { Instruments } from './instruments.js';

/** What is measured of a worker. */
export type MeasuredWorker = Pick<
  Member,
  'slot' | 'state' | 'engine' | 'certificateExpiryMs' | 'tally' | 'devices' | 'capacity'
>;

const tallies: readonly (readonly [name: string, help: string, read: (tally: WorkerTally) => number])[] = [
  [
    'fcaenet_worker_microbatches_total',
    'Microbatches that the worker answered.',
    (tally) => tally.microbatches,
  ],
  [
    'fcaenet_worker_turnaround_seconds_total',
    'Time from the moment microbatches have left for the worker to its answer, its transfer included, added over its devices.',
    (tally) => tally.turnaroundSeconds,
  ],
  [
    'fcaenet_worker_compute_seconds_total',
    'Time that the worker says it computed microbatches.',
    (tally) => tally.computeSeconds,
  ],
  [
    'fcaenet_worker_image_wait_seconds_total',
    'Time that the worker says it waited for the images of microbatches.',
    (tally) => tally.imageWaitSeconds,
  ],
  [
    'fcaenet_worker_overdue_microbatches_total',
    'Microbatches that the worker did not answer in time, and others computed too.',
    (tally) => tally.overdueMicrobatches,
  ],
  ['fcaenet_worker_bytes_sent_total', 'Bytes of messages sent to the worker.', (tally) => tally.bytesSent],
  [
    'fcaenet_worker_bytes_received_total',
    'Bytes of messages received from the worker.',
    (tally) => tally.bytesReceived,
  ],
  [
    'fcaenet_worker_peer_bytes_sent_total',
    'Bytes of tensors that the worker says it sent to other workers.',
    (tally) => tally.peerBytesSent,
  ],
  [
    'fcaenet_worker_peer_bytes_received_total',
    'Bytes of tensors that the worker says it received from other workers.',
    (tally) => tally.peerBytesReceived,
  ],
  [
    'fcaenet_worker_images_decoded_total',
    'Images that the worker process says it decoded.',
    (tally) => tally.imagesDecoded,
  ],
  [
    'fcaenet_worker_images_from_cache_total',
    'Images that the worker process says it found decoded in its cache.',
    (tally) => tally.imagesFromCache,
  ],
  [
    'fcaenet_worker_overdue_file_operations_total',
    'File operations that the worker process says did not answer in time.',
    (tally) => tally.overdueFileOperations,
  ],
];

const deviceTotals: readonly (readonly [
  name: string,
  help: string,
  read: (device: MemberDevice) => number,
])[] = [
  [
    'fcaenet_worker_device_microbatches_total',
    'Microbatches that the worker says this one of its devices computed.',
    ({ microbatches }) => microbatches,
  ],
  [
    'fcaenet_worker_device_compute_seconds_total',
    'Time that the worker says this one of its devices computed microbatches.',
    ({ computeSeconds }) => computeSeconds,
  ],
  [
    'fcaenet_worker_device_image_wait_seconds_total',
    'Time that the worker says this one of its devices waited for the images of microbatches.',
    ({ imageWaitSeconds }) => imageWaitSeconds,
  ],
];

/**
 * Metrics of each worker, and of each device of workers that have several. The label is the worker's slot, the smallest
 * number that was free when it joined. So there are never more series than allowed workers, with any names of pods. The
 * series end when the worker leaves. The next worker in the slot begins at 0.
 */
export function registerWorkerMetrics(
  instruments: Instruments,
  workers: () => readonly MeasuredWorker[],
): void {
  instruments.gaugeOf(
    'fcaenet_worker_state',
    'Whether the worker is in this state: 1, else 0.',
    ['worker', 'state'],
    (gauge) => {
      for (const { slot, state } of workers()) {
        for (const each of livingStates) gauge.set({ worker: slot, state: each }, each === state ? 1 : 0);
      }
    },
  );
  instruments.gaugeOf(
    'fcaenet_worker_engine_info',
    'What the worker computes with; always 1.',
    ['worker', 'engine', 'version', 'device', 'instruction_set'],
    (gauge) => {
      for (const { slot, engine } of workers()) {
        if (engine === null) continue;
        const { name, version, device, instructionSet } = engine;
        gauge.set({ worker: slot, engine: name, version, device, instruction_set: instructionSet }, 1);
      }
    },
  );
  instruments.gaugeOf(
    'fcaenet_worker_certificate_expiry_timestamp_seconds',
    'Unix time at which the worker’s certificate ends; absent in plain text.',
    ['worker'],
    (gauge) => {
      for (const { slot, certificateExpiryMs } of workers()) {
        if (certificateExpiryMs !== null) gauge.set({ worker: slot }, certificateExpiryMs / 1000);
      }
    },
  );
  instruments.gaugeOf(
    'fcaenet_worker_devices',
    'Devices that the worker computes on at the same time.',
    ['worker'],
    (gauge) => {
      for (const { slot, capacity } of workers()) gauge.set({ worker: slot }, capacity);
    },
  );
  for (const [name, help, read] of deviceTotals) {
    instruments.counterOf(name, help, ['worker', 'device'], (counter) => {
      for (const { slot, devices } of workers()) {
        for (const device of devices) counter.inc({ worker: slot, device: device.name }, read(device));
      }
    });
  }
  for (const [name, help, read] of tallies) {
    instruments.counterOf(name, help, ['worker'], (counter) => {
      for (const { slot, tally } of workers()) counter.inc({ worker: slot }, read(tally));
    });
  }
}

const livingStates = memberStates.filter((state) => state !== 'gone');
