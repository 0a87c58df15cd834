import { VisibilityMode } from '@grafana/grafana-foundation-sdk/common';
import { type Dashboard, MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { dashboard } from './frame.js';
import { gpu } from './gpu.js';
import type { Section } from './layout.js';
import { areas, described, lines, table } from './panels.js';
import { byDevice, byRun, byWorker, of, rate, rows, series } from './queries.js';

/** States in the order of a worker's life, and their colours. */
const states = [
  ['joining', 'blue'],
  ['ready', 'yellow'],
  ['computing', 'green'],
  ['draining', 'orange'],
] as const;

const stateNumber = states
  .map(([state], index) => `${of('fcaenet_worker_state', `state="${state}"`)} * ${index + 1}`)
  .join(' + ignoring (state) ');

const timeline = described(
  new StateTimelineBuilder(),
  {
    title: 'State of each worker',
    description:
      'State of each worker over time. A worker that stays computing hangs. A worker that stays ready while others compute has no work.',
    unit: 'none',
    empty: 'no worker has joined',
  },
  [series(byWorker(stateNumber, 'max'), 'worker {{worker}}')],
)
  .mappings([
    {
      type: MappingType.ValueToText,
      options: Object.fromEntries(
        states.map(([text, color], index) => [String(index + 1), { text, color, index }]),
      ),
    },
  ])
  .mergeValues(true)
  .showValue(VisibilityMode.Auto)
  .rowHeight(0.8);

const presence: Section = {
  title: 'Workers',
  height: 9,
  perRow: 2,
  panels: [
    areas(
      {
        title: 'Workers by state',
        description: 'Workers that are joining, ready, computing or draining.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(`sum by (namespace, run, state) (${of('fcaenet_workers', 'state!="gone"')})`, '{{state}}'),
    ),
    timeline,
    lines(
      {
        title: 'Minimum and spare workers',
        description:
          'Are there too few workers, or more than a step has microbatches? Spare workers have no work.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_min_workers')), 'minimum'),
      series(byRun(of('fcaenet_spare_workers')), 'spare'),
      series(byRun(of('fcaenet_workers', 'state="gone"')), 'left so far'),
    ).min(0),
    table(
      {
        title: 'Engines',
        description: 'What each worker computes with. Under strict exactness, only the device may differ.',
        unit: 'none',
        empty: 'no worker was admitted',
      },
      rows(of('fcaenet_worker_engine_info')),
    ).withTransformation({
      id: 'organize',
      options: {
        excludeByName: {
          Time: true,
          Value: true,
          __name__: true,
          container: true,
          endpoint: true,
          instance: true,
          job: true,
          pod: true,
        },
        indexByName: {
          namespace: 0,
          run: 1,
          worker: 2,
          engine: 3,
          version: 4,
          device: 5,
          instruction_set: 6,
        },
        renameByName: { instruction_set: 'instruction set' },
      },
    }),
  ],
};

const share = (part: string, whole: string) => `${byWorker(rate(part))} / ${byWorker(rate(whole))}`;

const byPath = (expression: string) => `sum by (namespace, run, path) (${expression})`;

const pace: Section = {
  title: 'Speed',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Seconds of a step by worker',
        description:
          'Time that each worker needs for its part of a step, transfers included. The slowest worker determines the time of a step.',
        unit: 's',
        empty: 'no answers in this time',
      },
      series(
        `${byWorker(rate('fcaenet_worker_turnaround_seconds_total'))} / ${byWorker(of('fcaenet_worker_devices'))} / on (namespace, run) group_left () ${byRun(rate('fcaenet_step_seconds_count'), 'sum')}`,
        'worker {{worker}}',
      ),
    ).min(0),
    lines(
      {
        title: 'Seconds of a microbatch by worker',
        description:
          'Time of one microbatch, whatever the worker’s share. A worker far above the others is a straggler.',
        unit: 's',
        empty: 'no answers in this time',
      },
      series(
        share('fcaenet_worker_turnaround_seconds_total', 'fcaenet_worker_microbatches_total'),
        'worker {{worker}}',
      ),
    ).min(0),
    lines(
      {
        title: 'Share of that time spent computing',
        description:
          'Share of the time of a microbatch that is computing. The rest is waiting for images and transfers.',
        unit: 'percentunit',
        empty: 'no answers in this time',
      },
      series(
        share('fcaenet_worker_compute_seconds_total', 'fcaenet_worker_turnaround_seconds_total'),
        'worker {{worker}}',
      ),
    ).min(0),
    lines(
      {
        title: 'Share of that time spent waiting for images',
        description: 'Does storage or decoding slow a worker down? Then the share is high.',
        unit: 'percentunit',
        empty: 'no answers in this time',
      },
      series(
        share('fcaenet_worker_image_wait_seconds_total', 'fcaenet_worker_turnaround_seconds_total'),
        'worker {{worker}}',
      ),
    ).min(0),
    lines(
      {
        title: 'Images by origin',
        description:
          'Is the image cache filled? Images per second that each worker decodes, and that it finds in its cache.',
        unit: 'cps',
        empty: 'no worker has joined',
      },
      series(byWorker(rate('fcaenet_worker_images_decoded_total')), 'worker {{worker}} decoded'),
      series(byWorker(rate('fcaenet_worker_images_from_cache_total')), 'worker {{worker}} from cache'),
    ).min(0),
    lines(
      {
        title: 'Microbatches by worker',
        description: 'Microbatches per second that each worker answers.',
        unit: 'cps',
        empty: 'no answers in this time',
      },
      series(byWorker(rate('fcaenet_worker_microbatches_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Microbatches by device',
        description: 'Microbatches per second of each device of workers that compute on several.',
        unit: 'cps',
        empty: 'no worker has several devices',
      },
      series(byDevice(rate('fcaenet_worker_device_microbatches_total')), 'worker {{worker}} {{device}}'),
    ).min(0),
    lines(
      {
        title: 'Seconds of a microbatch by device',
        description:
          'Time in which each device computes one microbatch. A device far above the others is slow.',
        unit: 's',
        empty: 'no worker has several devices',
      },
      series(
        `${byDevice(rate('fcaenet_worker_device_compute_seconds_total'))} / ${byDevice(rate('fcaenet_worker_device_microbatches_total'))}`,
        'worker {{worker}} {{device}}',
      ),
    ).min(0),
  ],
};

const faults: Section = {
  title: 'Errors',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Overdue microbatches by worker',
        description: 'Microbatches that a worker did not answer in time, so that others computed them too.',
        unit: 'cps',
        empty: 'no worker has joined',
      },
      series(byWorker(rate('fcaenet_worker_overdue_microbatches_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Share of repeated microbatches',
        description:
          'Share of the work that is done twice: it was overdue, its worker left, or two results are compared.',
        unit: 'percentunit',
        empty: 'no answers in this time',
      },
      ...(
        [
          ['fcaenet_overdue_microbatches_total', 'overdue'],
          ['fcaenet_redispatched_microbatches_total', 'worker left'],
          ['fcaenet_compared_microbatches_total', 'compared'],
        ] as const
      ).map(([counter, legend]) =>
        series(
          `${byRun(rate(counter), 'sum')} / ${byRun(rate('fcaenet_microbatches_total'), 'sum')}`,
          legend,
        ),
      ),
    ).min(0),
    lines(
      {
        title: 'Workers set aside and contradictions',
        description:
          'Workers that get no more work, by fault, and microbatches for which two workers gave different results.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(
        `max by (namespace, run, fault) (${of('fcaenet_workers_set_aside_total')})`,
        'set aside: {{fault}}',
      ),
      series(byRun(of('fcaenet_compared_microbatches_total', 'outcome="contradiction"')), 'contradictions'),
    ).min(0),
    lines(
      {
        title: 'Gradients refused',
        description: 'Invalid answers, by reason. The coordinator disconnected their workers.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(`max by (namespace, run, reason) (${of('fcaenet_gradient_refused_total')})`, '{{reason}}'),
    ).min(0),
    lines(
      {
        title: 'Connections refused',
        description: 'Refused connections, by reason. docs/security.md explains each reason.',
        unit: 'none',
        empty: 'none was refused',
      },
      series(`max by (namespace, run, reason) (${of('fcaenet_refused_connections_total')})`, '{{reason}}'),
    ).min(0),
    lines(
      {
        title: 'Dropped worker log lines',
        description:
          'Lines that workers logged beyond the rate limit. The coordinator’s log does not have them.',
        unit: 'cps',
        empty: 'no run chosen',
      },
      series(byRun(rate('fcaenet_worker_log_lines_dropped_total'), 'sum'), 'dropped'),
    ).min(0),
  ],
};

const traffic: Section = {
  title: 'Network',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Sent to each worker',
        description:
          'Weights and work. A worker that receives less than others joined late or has a slow connection.',
        unit: 'binBps',
        empty: 'no worker has joined',
      },
      series(byWorker(rate('fcaenet_worker_bytes_sent_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Received from each worker',
        description: 'Gradients and codes.',
        unit: 'binBps',
        empty: 'no worker has joined',
      },
      series(byWorker(rate('fcaenet_worker_bytes_received_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Coordinator’s traffic',
        description:
          'Is the coordinator’s network the limit? Traffic of all workers, also of those that have left. Only the path star uses its network.',
        unit: 'binBps',
        empty: 'no run chosen',
      },
      series(byPath(rate('fcaenet_bytes_sent_total', 'path!="peers"')), 'sent by {{path}}'),
      series(byPath(rate('fcaenet_bytes_received_total', 'path!="peers"')), 'received by {{path}}'),
    ).min(0),
    lines(
      {
        title: 'Traffic among workers',
        description:
          'Gradients and weights that each worker sends to the others. 0: the exchange is not in use, or its parts pass through the coordinator.',
        unit: 'binBps',
        empty: 'no worker has joined',
      },
      series(byWorker(rate('fcaenet_worker_peer_bytes_sent_total')), 'worker {{worker}} sent'),
      series(byWorker(rate('fcaenet_worker_peer_bytes_received_total')), 'worker {{worker}} received'),
    ).min(0),
    areas(
      {
        title: 'Workers by path',
        description: 'How the weights and gradients of the workers travel.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byPath(of('fcaenet_path_workers')), '{{path}}'),
    ),
  ],
};

/** The workers of a run: their states, speed, errors and traffic. */
export function workersDashboard(): Dashboard {
  return dashboard(
    {
      uid: 'fcaenet-workers',
      title: 'FCAENet: workers',
      description: 'The workers of a run: their states, speed, errors and traffic.',
      manyRuns: false,
    },
    [presence, pace, faults, traffic, gpu],
  );
}
