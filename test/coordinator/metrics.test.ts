import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CoordinatorEvent } from '../../src/coordinator/monitoring/coordinator-event.js';
import { diskSpaceOf } from '../../src/coordinator/monitoring/metrics/disk-space.js';
import { RunMetrics } from '../../src/coordinator/monitoring/metrics/run-metrics.js';
import { unconnectedMember } from '../kit/unconnected-member.js';
import { evaluated, MetricsWorld } from './metrics-sources.js';

let world: MetricsWorld;
let metrics: RunMetrics;
const lines = async () =>
  (await metrics.registry.metrics()).split('\n').filter((line) => !/^#|^$/.test(line));
/** Samples without the label that all have. */
const scrape = async () => (await lines()).map((line) => line.replace(/,?run="birds"/, '').replace('{}', ''));
const seriesOf = async (name: string) =>
  (await scrape()).filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));

beforeEach(() => {
  world = new MetricsWorld();
  metrics = new RunMetrics(world.sources);
});

test('every sample says of which run it is', async () => {
  world.admit();
  expect((await lines()).filter((line) => !line.includes('run="birds"'))).toEqual([]);
});

const stepDone = (
  seconds: number,
  images: number,
  losses = [0, 0, 0, 0],
  gradientNorm: number | null = null,
): CoordinatorEvent => ({
  type: 'step.done',
  losses: Float64Array.from(losses),
  seconds,
  phases: {
    pairing: 0,
    sending: 0.125 * seconds,
    computing: 0.5 * seconds,
    waiting: 0.25 * seconds,
    reducing: 0,
    updating: 0.125 * seconds,
  },
  images,
  gradientNorm,
});
const codesUpdated = (flippedBits: number, seconds: number, encodingSeconds: number): CoordinatorEvent => ({
  type: 'codes.updated',
  iteration: 1,
  flippedBits,
  seconds,
  encodingSeconds,
});
const evaluatedIn = (seconds: number): CoordinatorEvent => ({
  type: 'evaluated',
  iteration: 1,
  evaluation: evaluated(1, 0.5).evaluation!,
  seconds,
});

test('what a run reports is what is scraped', async () => {
  world.traffic.star.sentBytes = 100;
  world.traffic.star.receivedBytes = 20;
  world.traffic.shared_memory.sentBytes = 4096;
  world.paths = ['star', 'shared_memory', 'shared_memory'];
  world.workers = { ready: 1, computing: 2 };
  world.refused = { no_hello: 4 };
  world.answers = { microbatches: 31, computeSeconds: 3, imageWaitSeconds: 0.75 };
  world.position = { iteration: 3, epoch: 1, step: 4, globalStep: 52, phase: 'train' };
  world.diskSpace = { freeBytes: 250, sizeBytes: 1000 };
  world.history = [evaluated(1, 0.6), evaluated(2, 0.5), { ...evaluated(3, 0), evaluation: null }];
  metrics.take(stepDone(0.5, 192, [1.5, 0.5, 0.25, 0.125]));
  metrics.take(codesUpdated(77, 0.01, 0.2));
  metrics.take(evaluatedIn(2));
  metrics.take({ type: 'checkpoint.failed' });
  const member = unconnectedMember();
  metrics.take({ type: 'answer.rejected', member, reason: 'non_finite', sentence: 'NaN' });
  const departure = { reason: 'it left', failure: null };
  metrics.take({ type: 'work.redispatched', work: 'microbatches', units: 3, departure });
  // Encode batches are no microbatches.
  metrics.take({ type: 'work.redispatched', work: 'encode batches', units: 5, departure });
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'fcaenet_run_info{method="fcaenet",bits="24",backbone="mobilenet_v1"} 1',
      'fcaenet_iteration 3',
      'fcaenet_configured_iterations 7',
      'fcaenet_epoch 1',
      'fcaenet_step 52',
      'fcaenet_configured_steps 448',
      'fcaenet_loss{term="similarity"} 1.5',
      'fcaenet_loss{term="quantisation"} 0.5',
      'fcaenet_loss{term="positive"} 0.25',
      'fcaenet_loss{term="augmented"} 0.125',
      'fcaenet_images_total 192',
      'fcaenet_images_per_second 384',
      'fcaenet_step_seconds_bucket{le="0.5"} 1',
      'fcaenet_step_seconds_bucket{le="0.25"} 0',
      'fcaenet_step_seconds_sum 0.5',
      'fcaenet_flipped_bits 77',
      'fcaenet_v_step_seconds 0.01',
      'fcaenet_mean_average_precision{ties="index"} 0.5',
      'fcaenet_mean_average_precision{ties="averaged"} 0.49',
      'fcaenet_best_mean_average_precision 0.6',
      'fcaenet_evaluated_iteration 2',
      'fcaenet_evaluation_seconds 2',
      'fcaenet_evaluation_timestamp_seconds 1800000000',
      'fcaenet_workers{state="ready"} 1',
      'fcaenet_workers{state="computing"} 2',
      'fcaenet_bytes_sent_total{path="star"} 100',
      'fcaenet_bytes_sent_total{path="shared_memory"} 4096',
      'fcaenet_bytes_received_total{path="star"} 20',
      'fcaenet_bytes_received_total{path="shared_memory"} 0',
      'fcaenet_path_workers{path="star"} 1',
      'fcaenet_path_workers{path="shared_memory"} 2',
      'fcaenet_step_phase_seconds_total{phase="pairing"} 0',
      'fcaenet_step_phase_seconds_total{phase="sending"} 0.0625',
      'fcaenet_step_phase_seconds_total{phase="computing"} 0.25',
      'fcaenet_step_phase_seconds_total{phase="waiting"} 0.125',
      'fcaenet_step_phase_seconds_total{phase="reducing"} 0',
      'fcaenet_step_phase_seconds_total{phase="updating"} 0.0625',
      'fcaenet_microbatches_total 31',
      'fcaenet_compute_seconds_total 3',
      'fcaenet_image_wait_seconds_total 0.75',
      'fcaenet_gradient_refused_total{reason="non_finite"} 1',
      'fcaenet_gradient_refused_total{reason="damaged"} 0',
      'fcaenet_refused_connections_total{reason="no_hello"} 4',
      'fcaenet_redispatched_microbatches_total 3',
      'fcaenet_checkpoint_failures_total 1',
      'fcaenet_disk_free_bytes 250',
      'fcaenet_disk_size_bytes 1000',
    ]),
  );
});

test('what is not known yet is absent, not zero', async () => {
  const scraped = (await scrape()).join('\n');
  for (const name of [
    'mean_average_precision',
    'best_mean_average_precision',
    'evaluated_iteration',
    'remaining_seconds',
    'images_per_second',
    'flipped_bits',
    'checkpoint_age_seconds',
    'checkpoint_seconds',
    'disk_free_bytes',
    'nats_connected',
  ]) {
    expect(scraped).not.toContain(`fcaenet_${name}`);
  }
});

test('bytes and workers are those of the moment, however often they are scraped', async () => {
  world.traffic.star.sentBytes = 5;
  world.workers = { ready: 1 };
  await scrape();
  world.traffic.star.sentBytes = 7;
  world.workers = { gone: 1 };
  expect((await seriesOf('fcaenet_bytes_sent_total'))[0]).toBe('fcaenet_bytes_sent_total{path="star"} 7');
  expect(await seriesOf('fcaenet_workers')).toEqual(['fcaenet_workers{state="gone"} 1']);
});

test('the time left is what is left of each kind of work, times what it took last', async () => {
  world.position = { iteration: 5, epoch: 0, step: 0, globalStep: 5 * 64, phase: 'train' };
  for (const seconds of [2, 100, 2]) metrics.take(stepDone(seconds, 1));
  metrics.take(codesUpdated(1, 7, 3));
  metrics.take(evaluatedIn(20));
  // Two iterations: 128 steps of 2 s, two V-steps with the encoding before them, and two evaluations.
  expect(await seriesOf('fcaenet_remaining_seconds')).toEqual(['fcaenet_remaining_seconds 316']);
  world.position = { iteration: 6, epoch: 4, step: 0, globalStep: 448, phase: 'evaluate' };
  expect(await seriesOf('fcaenet_remaining_seconds')).toEqual(['fcaenet_remaining_seconds 20']);
});

test('every way of getting ahead is progress, and so is the end of a pause', async () => {
  const name = 'fcaenet_last_progress_timestamp_seconds';
  const ways = [
    () => metrics.take(stepDone(1, 1)),
    () => metrics.take(codesUpdated(1, 1, 1)),
    () => metrics.take(evaluatedIn(1)),
    () => metrics.take({ type: 'encoding', what: 'queries', done: 1, total: 2 }),
    () => metrics.take({ type: 'paused', isPaused: false }),
  ];
  for (const way of ways) {
    world.nowMs += 1000;
    way();
    expect(await seriesOf(name)).toEqual([`${name} ${world.nowMs / 1000}`]);
  }
  metrics.take({ type: 'paused', isPaused: true });
  expect(await scrape()).toContain('fcaenet_paused 1');
});

test('the ends of certificates are scraped, as far as there are any', async () => {
  const name = 'fcaenet_certificate_expiry_timestamp_seconds';
  expect(await seriesOf(name)).toEqual([]);
  const [file, atMs] = ['tls.crt', world.nowMs];
  world.certificates = { coordinator: { file, atMs }, nats: { file, atMs: atMs + 1_500 } };
  metrics = new RunMetrics(world.sources);
  world.admit();
  world.admit().certificateExpiryMs = atMs + 9_000;
  expect(await seriesOf(name)).toEqual([
    `${name}{certificate="coordinator"} 1800000000`,
    `${name}{certificate="nats"} 1800000001.5`,
  ]);
  const ofWorkers = 'fcaenet_worker_certificate_expiry_timestamp_seconds';
  expect(await seriesOf(ofWorkers)).toEqual([`${ofWorkers}{worker="1"} 1800000009`]);
});

describe('checkpoints', () => {
  test('the age is that of the last one this process wrote', async () => {
    metrics.take({ type: 'checkpoint.written', name: 'c', bytes: 4096, seconds: 0.25 });
    world.nowMs += 12_000;
    expect(await scrape()).toEqual(
      expect.arrayContaining([
        'fcaenet_checkpoint_age_seconds 12',
        'fcaenet_checkpoint_seconds 0.25',
        'fcaenet_checkpoint_bytes 4096',
      ]),
    );
  });

  test('a process that goes on counts from the one it went on from, and no clock makes it negative', async () => {
    world.restoredAtMs = world.nowMs - 30_000;
    metrics = new RunMetrics(world.sources);
    expect(await scrape()).toContain('fcaenet_checkpoint_age_seconds 30');
    world.nowMs -= 60_000;
    expect(await scrape()).toContain('fcaenet_checkpoint_age_seconds 0');
  });

  test('a file system that does not answer costs a second, and is not asked again meanwhile', async () => {
    let asked = 0;
    const ask = diskSpaceOf('.', () => {
      asked++;
      return new Promise(() => {});
    });
    expect(await Promise.all([ask(), ask()])).toEqual([null, null]);
    expect(asked).toBe(1);
  });

  test('the space is that of the folder’s file system; a folder that is not there has none', async () => {
    const { freeBytes, sizeBytes } = (await diskSpaceOf('.')())!;
    expect(freeBytes).toBeGreaterThan(0);
    expect(sizeBytes).toBeGreaterThan(freeBytes);
    expect(await diskSpaceOf('no/such/folder')()).toBeNull();
  });
});

test('a disk that does not answer is shown: for how long, how often, and what was given up', async () => {
  world.diskWatch = { overdueTotal: 3, longestSeconds: 42 };
  metrics = new RunMetrics(world.sources);
  metrics.take({ type: 'checkpoint.abandoned' });
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'fcaenet_file_operation_wait_seconds 42',
      'fcaenet_overdue_file_operations_total 3',
      'fcaenet_checkpoint_writes_abandoned_total 1',
    ]),
  );
});

describe('workers', () => {
  test('each has its numbers, under its slot', async () => {
    world.admit();
    const { tally } = world.admit();
    tally.answered({ microbatches: 2, turnaroundSeconds: 3, computeSeconds: 2.5, imageWaitSeconds: 0.25 });
    tally.answered({
      microbatches: 1,
      turnaroundSeconds: 1,
      computeSeconds: Number.NaN,
      imageWaitSeconds: -1,
    });
    tally.beaten({
      imagesDecoded: 40,
      imagesFromCache: 60,
      overdueFileOperations: 2,
      peerBytesSent: 300,
      peerBytesReceived: 400,
    });
    tally.overdueMicrobatches = 1;
    tally.bytesSent = 10;
    tally.bytesReceived = 20;
    expect(await scrape()).toEqual(
      expect.arrayContaining([
        'fcaenet_worker_state{worker="1",state="ready"} 1',
        'fcaenet_worker_state{worker="1",state="computing"} 0',
        'fcaenet_worker_engine_info{worker="1",engine="onednn",version="2.6.0",device="cpu",instruction_set="avx512"} 1',
        'fcaenet_worker_microbatches_total{worker="1"} 3',
        'fcaenet_worker_microbatches_total{worker="0"} 0',
        'fcaenet_worker_turnaround_seconds_total{worker="1"} 4',
        'fcaenet_worker_compute_seconds_total{worker="1"} 2.5',
        'fcaenet_worker_image_wait_seconds_total{worker="1"} 0.25',
        'fcaenet_worker_overdue_microbatches_total{worker="1"} 1',
        'fcaenet_worker_bytes_sent_total{worker="1"} 10',
        'fcaenet_worker_bytes_received_total{worker="1"} 20',
        'fcaenet_worker_peer_bytes_sent_total{worker="1"} 300',
        'fcaenet_worker_peer_bytes_received_total{worker="1"} 400',
        'fcaenet_worker_images_decoded_total{worker="1"} 40',
        'fcaenet_worker_images_from_cache_total{worker="1"} 60',
        'fcaenet_worker_overdue_file_operations_total{worker="1"} 2',
      ]),
    );
  });

  test('each device of a worker of several has its numbers, under its name', async () => {
    const device = {
      name: 'local-0-gpu-3',
      device: 'a GPU',
      microbatches: 5,
      computeSeconds: 2.5,
      imageWaitSeconds: 0.5,
    };
    world.admit().devices = [device, { ...device, name: 'local-1-gpu-4' }];
    world.admit();
    const lines = await scrape();
    expect(lines).toEqual(
      expect.arrayContaining([
        'fcaenet_worker_devices{worker="0"} 2',
        'fcaenet_worker_devices{worker="1"} 1',
        'fcaenet_worker_device_microbatches_total{worker="0",device="local-0-gpu-3"} 5',
        'fcaenet_worker_device_compute_seconds_total{worker="0",device="local-1-gpu-4"} 2.5',
        'fcaenet_worker_device_image_wait_seconds_total{worker="0",device="local-0-gpu-3"} 0.5',
      ]),
    );
    expect(
      lines.filter((line) => line.startsWith('fcaenet_worker_device_') && line.includes('worker="1"')),
    ).toEqual([]);
  });

  test('the series of one that is gone are gone, and the next in its slot begins at 0', async () => {
    world.admit().tally.overdueMicrobatches = 7;
    world.admit();
    world.members.shift();
    const slotsOf = async () =>
      new Set([...(await scrape()).join('\n').matchAll(/worker="(\w+)"/g)].map((match) => match[1]));
    expect(await slotsOf()).toEqual(new Set(['1']));
    world.admit();
    expect(await slotsOf()).toEqual(new Set(['0', '1']));
    expect(await scrape()).toContain('fcaenet_worker_overdue_microbatches_total{worker="0"} 0');
  });

  test('none has a label that tells one pod from another', async () => {
    world.admit();
    expect((await scrape()).join('\n')).not.toContain('pod-');
  });
});

test('events, the NATS connection and the term are scraped', async () => {
  Object.assign(world, { events: { published: 12, lost: 3 }, natsConnected: false });
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'fcaenet_term 4',
      'fcaenet_events_published_total 12',
      'fcaenet_events_lost_total 3',
      'fcaenet_nats_connected 0',
    ]),
  );
  world.natsConnected = true;
  expect(await scrape()).toContain('fcaenet_nats_connected 1');
});

test('lines of workers that were left out are scraped', async () => {
  world.droppedWorkerLogLines = 9;
  expect(await scrape()).toContain('fcaenet_worker_log_lines_dropped_total 9');
});

describe('names', () => {
  const all = () =>
    metrics.registry.getMetricsAsArray() as unknown as { name: string; type: string; labelNames: string[] }[];

  test('docs/metrics.md lists the metrics that are exported, with their labels', () => {
    const listed = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(\w+)`\s*\|([^|]*)\|/gm)].map(
      (match) => [match[1]!, match[2]!.trim()],
    );
    const exported = all().map(({ name, labelNames }) => [name, labelNames.join(', ')]);
    expect(listed.sort()).toEqual(exported.sort());
  });

  test('follow Prometheus: counters end in _total, and nothing else does', () => {
    const wrong = all().filter(({ name, type }) => name.endsWith('_total') !== (String(type) === 'counter'));
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});

test('the gradient has a norm where it may be clipped', async () => {
  metrics.take(stepDone(1, 64));
  expect((await scrape()).filter((line) => line.startsWith('fcaenet_gradient_norm'))).toEqual([]);
  metrics.take(stepDone(1, 64, [0, 0, 0, 0], 12.5));
  expect(await scrape()).toContain('fcaenet_gradient_norm 12.5');
});
