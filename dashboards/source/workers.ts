import { VisibilityMode } from '@grafana/grafana-foundation-sdk/common';
import { type Dashboard, MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { dashboard } from './frame.js';
import { gpu } from './gpu.js';
import type { Section } from './layout.js';
import { areas, described, lines, table } from './panels.js';
import { byRun, byWorker, of, rate, rows, series } from './queries.js';

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
      'Who was there when, and what they did. A worker that computes without end hangs; one that is ready while others compute has nothing to do.',
    unit: 'none',
    empty: 'no worker is there',
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
  title: 'Who is there',
  height: 9,
  perRow: 2,
  panels: [
    areas(
      {
        title: 'Workers by state',
        description: 'How many workers are joining, ready, computing and draining.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(`sum by (namespace, run, state) (${of('fcaenet_workers', 'state!="gone"')})`, '{{state}}'),
    ),
    timeline,
    lines(
      {
        title: 'Least and spare workers',
        description:
          'Whether there are too few workers to go on, or more than a step has microbatches: spare ones wait.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_min_workers')), 'least'),
      series(byRun(of('fcaenet_spare_workers')), 'spare'),
      series(byRun(of('fcaenet_workers', 'state="gone"')), 'left so far'),
    ).min(0),
    table(
      {
        title: 'Engines',
        description:
          'What each worker computes with. Under strict exactness all have the same but for the device.',
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

const pace: Section = {
  title: 'Who is slow',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Seconds of a step by worker',
        description:
          'How long each worker was busy with its share of a step, transfers included. The slowest decides how long a step takes.',
        unit: 's',
        empty: 'no answers in this time',
      },
      series(
        `${byWorker(rate('fcaenet_worker_turnaround_seconds_total'))} / on (namespace, run) group_left () ${byRun(rate('fcaenet_step_seconds_count'), 'sum')}`,
        'worker {{worker}}',
      ),
    ).min(0),
    lines(
      {
        title: 'Seconds of a microbatch by worker',
        description: 'How fast each worker is, whatever its share. One far above the others is a straggler.',
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
        title: 'Computing, as a share of that time',
        description:
          'How much of a microbatch’s time is computing. What is missing to 100 % is images and transfers.',
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
        title: 'Waiting for images, as a share of that time',
        description: 'Whether storage or decoding holds a worker up.',
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
          'Whether the image cache is warm: decoded images a second and those found decoded, by worker.',
        unit: 'cps',
        empty: 'no worker is there',
      },
      series(byWorker(rate('fcaenet_worker_images_decoded_total')), 'worker {{worker}} decoded'),
      series(byWorker(rate('fcaenet_worker_images_from_cache_total')), 'worker {{worker}} from cache'),
    ).min(0),
    lines(
      {
        title: 'Microbatches by worker',
        description: 'How the work is shared out.',
        unit: 'cps',
        empty: 'no answers in this time',
      },
      series(byWorker(rate('fcaenet_worker_microbatches_total')), 'worker {{worker}}'),
    ).min(0),
  ],
};

const faults: Section = {
  title: 'What goes wrong',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Stragglers: overdue microbatches by worker',
        description: 'Whose microbatches were not answered in time and were computed by others as well.',
        unit: 'cps',
        empty: 'no worker is there',
      },
      series(byWorker(rate('fcaenet_worker_overdue_microbatches_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Share of microbatches done again',
        description:
          'How much work is done twice: because it was late, because its worker left, or to compare.',
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
          'Workers that get no more work, by fault, and microbatches that two workers computed differently.',
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
        description: 'Answers that cannot be true, by reason; their workers were sent away.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(`max by (namespace, run, reason) (${of('fcaenet_gradient_refused_total')})`, '{{reason}}'),
    ).min(0),
    lines(
      {
        title: 'Connections refused',
        description: 'Who was not let in, by reason: docs/security.md explains each.',
        unit: 'none',
        empty: 'none was refused',
      },
      series(`max by (namespace, run, reason) (${of('fcaenet_refused_connections_total')})`, '{{reason}}'),
    ).min(0),
    lines(
      {
        title: 'Worker log lines left out',
        description: 'Whether workers log more than the coordinator writes down.',
        unit: 'cps',
        empty: 'no run chosen',
      },
      series(byRun(rate('fcaenet_worker_log_lines_dropped_total'), 'sum'), 'left out'),
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
        description: 'Weights and work. A worker that gets less than others joined late, or has a slow line.',
        unit: 'binBps',
        empty: 'no worker is there',
      },
      series(byWorker(rate('fcaenet_worker_bytes_sent_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Received from each worker',
        description: 'Gradients and codes.',
        unit: 'binBps',
        empty: 'no worker is there',
      },
      series(byWorker(rate('fcaenet_worker_bytes_received_total')), 'worker {{worker}}'),
    ).min(0),
    lines(
      {
        title: 'Coordinator’s traffic',
        description:
          'Whether the coordinator’s network is the limit: all workers together, also those that have left.',
        unit: 'binBps',
        empty: 'no run chosen',
      },
      series(byRun(rate('fcaenet_bytes_sent_total'), 'sum'), 'sent'),
      series(byRun(rate('fcaenet_bytes_received_total'), 'sum'), 'received'),
    ).min(0),
  ],
};

/** The workers of a run: who is there, who is slow, what goes wrong. */
export function workersDashboard(): Dashboard {
  return dashboard(
    {
      uid: 'fcaenet-workers',
      title: 'FCAENet: workers',
      description: 'The workers of a run: who is there, who is slow and why, and what goes wrong.',
      manyRuns: false,
    },
    [presence, pace, faults, traffic, gpu],
  );
}
