import { ScaleDistribution, ScaleDistributionConfigBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  SeriesMapping,
  XYSeriesConfigBuilder,
  XYShowMode,
  PanelBuilder as XyChartBuilder,
} from '@grafana/grafana-foundation-sdk/xychart';
import { dashboard } from './frame.js';
import type { Section } from './layout.js';
import { areas, described, limits, lines, stat } from './panels.js';
import { byRun, latest, of, rate, series } from './queries.js';

const now: Section = {
  title: 'Status',
  height: 4,
  perRow: 4,
  panels: [
    stat(
      {
        title: 'Iterations',
        description: 'Finished iterations, and iterations of the whole run.',
        unit: 'none',
        empty: 'no run chosen',
      },
      latest(byRun(of('fcaenet_iteration')), 'finished'),
      latest(byRun(of('fcaenet_configured_iterations')), 'of'),
    ),
    stat(
      {
        title: 'Steps done',
        description: 'Share of the optimiser steps of the whole run that is done.',
        unit: 'percentunit',
        empty: 'no run chosen',
      },
      latest(`${byRun(of('fcaenet_step'))} / ${byRun(of('fcaenet_configured_steps'))}`, 'done'),
    ),
    stat(
      {
        title: 'Time left',
        description:
          'Estimated time until the run finishes, at the speed of the last steps. It includes evaluations after the first one.',
        unit: 's',
        empty: 'not known before the first step',
      },
      latest(byRun(of('fcaenet_remaining_seconds')), 'left'),
    ),
    stat(
      {
        title: 'Active workers',
        description: 'Workers that can compute microbatches. Below the minimum, the run waits.',
        unit: 'none',
        empty: 'no run chosen',
      },
      latest(byRun(of('fcaenet_workers', 'state=~"ready|computing"'), 'sum'), 'active'),
      latest(byRun(of('fcaenet_min_workers')), 'minimum'),
    ),
    stat(
      {
        title: 'Mean average precision',
        description:
          'Quality of the codes: the last evaluation and the best one, with ties ranked by database index.',
        unit: 'percentunit',
        empty: 'not evaluated yet',
      },
      latest(byRun(of('fcaenet_mean_average_precision', 'ties="index"')), 'last'),
      latest(byRun(of('fcaenet_best_mean_average_precision')), 'best'),
    ).decimals(1),
    stat(
      {
        title: 'Images per second',
        description:
          'Speed of the run over the last minutes. More workers raise it, up to one worker per microbatch.',
        unit: 'cps',
        empty: 'no step yet',
      },
      latest(byRun(rate('fcaenet_images_total'), 'sum'), 'images per second'),
    ),
    stat(
      {
        title: 'Checkpoint age',
        description: 'Work that a crash at this moment would repeat. Red from half an hour.',
        unit: 's',
        empty: 'no checkpoint yet',
      },
      latest(byRun(of('fcaenet_checkpoint_age_seconds')), 'age'),
    ).thresholds(limits([900, 'yellow'], [1800, 'red'])),
    stat(
      {
        title: 'Flipped bits',
        description:
          'Bits of the database codes that the last V-step changed. The number falls as the codes settle.',
        unit: 'short',
        empty: 'no V-step yet',
      },
      latest(byRun(of('fcaenet_flipped_bits')), 'flipped'),
    ),
  ],
};

/** Each evaluation is a point: its iteration to the right, its mAP upwards. */
const precisionByIteration = described(
  new XyChartBuilder(),
  {
    title: 'Mean average precision by iteration',
    description:
      'Quality of the codes after each iteration, independent of time. It lets you compare interrupted and uninterrupted runs.',
    unit: 'percentunit',
    empty: 'not evaluated yet',
  },
  [
    series(byRun(of('fcaenet_evaluated_iteration')), 'iteration'),
    series(byRun(of('fcaenet_mean_average_precision', 'ties="index"')), 'mAP'),
  ],
)
  .withTransformation({ id: 'joinByField', options: { byField: 'Time', mode: 'inner' } })
  .mapping(SeriesMapping.Manual)
  .series([
    new XYSeriesConfigBuilder()
      .name({ fixed: 'mAP' })
      .frame({ matcher: { id: 'byIndex', options: 0 } })
      .x({ matcher: { id: 'byName', options: 'iteration' } })
      .y({ matcher: { id: 'byName', options: 'mAP' } }),
  ])
  .show(XYShowMode.Points)
  .pointSize({ fixed: 6 })
  .overrideByName('iteration', [
    { id: 'unit', value: 'none' },
    { id: 'decimals', value: 0 },
  ]);

const learning: Section = {
  title: 'Learning',
  height: 9,
  perRow: 2,
  panels: [
    lines(
      {
        title: 'Loss terms',
        description:
          'Loss of the last batch, by term: similarity, quantisation, positive, augmented. Each term should fall within an iteration. The V-step between two iterations makes it jump.',
        unit: 'none',
        empty: 'no step yet',
      },
      series(`max by (namespace, run, term) (${of('fcaenet_loss')})`, '{{term}}'),
    ).scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10)),
    precisionByIteration,
    lines(
      {
        title: 'Mean average precision over time',
        description:
          'Does the run still improve? Ties are ranked by database index or averaged. The two lines are far apart if many codes are equal.',
        unit: 'percentunit',
        empty: 'not evaluated yet',
      },
      series(`max by (namespace, run, ties) (${of('fcaenet_mean_average_precision')})`, 'ties {{ties}}'),
      series(byRun(of('fcaenet_best_mean_average_precision')), 'best'),
    ),
    lines(
      {
        title: 'Flipped bits of each V-step',
        description: 'Do the database codes settle? Then the number falls.',
        unit: 'short',
        empty: 'no V-step yet',
      },
      series(byRun(of('fcaenet_flipped_bits')), 'flipped bits'),
    ).min(0),
    lines(
      {
        title: 'Gradient norm',
        description:
          'Length of the last batch’s gradient before it is clipped. One that is far above the others can saturate codes for the rest of a run that does not clip.',
        unit: 'none',
        empty: 'spec.optimizer.maxGradientNorm is not set',
      },
      series(byRun(of('fcaenet_gradient_norm')), 'norm'),
    ).scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10)),
  ],
};

const quantile = (q: number) =>
  `histogram_quantile(${q}, sum by (namespace, run, le) (${rate('fcaenet_step_seconds_bucket')}))`;

const speed: Section = {
  title: 'Speed',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Images per second over time',
        description: 'Speed over time. Workers that join or leave change it.',
        unit: 'cps',
        empty: 'no step yet',
      },
      series(byRun(rate('fcaenet_images_total'), 'sum'), 'mean'),
      series(byRun(of('fcaenet_images_per_second')), 'last step'),
    ).min(0),
    lines(
      {
        title: 'Seconds of a step',
        description:
          'Time of a step: the median, and the time that 95 % of the steps stay below. A wide gap means slow workers or workers that left.',
        unit: 's',
        empty: 'no step in this time',
      },
      series(quantile(0.5), 'half of the steps'),
      series(quantile(0.95), '95 % of the steps'),
    ).min(0),
    areas(
      {
        title: 'Time of a step by phase',
        description:
          'What limits the steps? Sending and waiting: the network, or a slow worker. Computing: the workers. Reducing and updating: the coordinator.',
        unit: 's',
        empty: 'no step in this time',
      },
      series(
        `sum by (namespace, run, phase) (${rate('fcaenet_step_phase_seconds_total')}) / on (namespace, run) group_left () ${byRun(rate('fcaenet_step_seconds_count'), 'sum')}`,
        '{{phase}}',
      ),
    ),
    lines(
      {
        title: 'V-step and evaluation',
        description: 'Time that an iteration takes in addition to its steps.',
        unit: 's',
        empty: 'neither happened yet',
      },
      series(byRun(of('fcaenet_v_step_seconds')), 'V-step'),
      series(byRun(of('fcaenet_evaluation_seconds')), 'evaluation'),
    ).min(0),
    lines(
      {
        title: 'Time left over time',
        description: 'Does the estimate hold? Then the line falls by one hour per hour.',
        unit: 's',
        empty: 'not known before the first step',
      },
      series(byRun(of('fcaenet_remaining_seconds')), 'left'),
    ).min(0),
    lines(
      {
        title: 'Time since the last progress',
        description:
          'Does the run hang? Time since the last step, V-step, evaluation or encoded image. Pauses are shown too.',
        unit: 's',
        empty: 'no run chosen',
      },
      series(`time() - ${byRun(of('fcaenet_last_progress_timestamp_seconds'))}`, 'without progress'),
      series(byRun(of('fcaenet_paused')), 'paused (1)'),
    ).min(0),
    lines(
      {
        title: 'Coordinator',
        description: 'Memory of the coordinator process, and the number of processors that it keeps busy.',
        unit: 'bytes',
        empty: 'no run chosen',
      },
      series(byRun(of('process_resident_memory_bytes')), 'memory'),
      series(byRun(rate('process_cpu_seconds_total'), 'sum'), 'processors'),
    ).overrideByName('processors', [
      { id: 'unit', value: 'none' },
      { id: 'custom.axisPlacement', value: 'right' },
    ]),
  ],
};

const safety: Section = {
  title: 'Safety',
  height: 8,
  perRow: 3,
  panels: [
    lines(
      {
        title: 'Checkpoint age over time',
        description: 'Work that a crash would have repeated at each moment. Every checkpoint sets it to 0.',
        unit: 's',
        empty: 'no checkpoint yet',
      },
      series(byRun(of('fcaenet_checkpoint_age_seconds')), 'age'),
      series(byRun(of('fcaenet_checkpoint_seconds')), 'time it took to write'),
    ).min(0),
    lines(
      {
        title: 'Run volume',
        description: 'Free space for the next checkpoints on the file system of the run directory.',
        unit: 'bytes',
        empty: 'the file system does not answer',
      },
      series(byRun(of('fcaenet_disk_free_bytes')), 'free'),
      series(byRun(of('fcaenet_disk_size_bytes')), 'size'),
      series(byRun(of('fcaenet_checkpoint_bytes')), 'one checkpoint'),
    ).min(0),
    lines(
      {
        title: 'Leadership term and failed checkpoints',
        description:
          'Each coordinator process that takes over the run has a higher term. A checkpoint that cannot be written ends the process.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_term')), 'term'),
      series(byRun(of('fcaenet_checkpoint_failures_total')), 'failed checkpoints'),
    ).min(0),
    lines(
      {
        title: 'Events',
        description:
          'Do events reach their destinations? Events that a destination lost are still in events.jsonl.',
        unit: 'cps',
        empty: 'no run chosen',
      },
      series(byRun(rate('fcaenet_events_published_total'), 'sum'), 'published'),
      series(byRun(rate('fcaenet_events_lost_total'), 'sum'), 'lost'),
    ).min(0),
    lines(
      {
        title: 'NATS server connected',
        description: '1 while the coordinator is connected to the NATS server, else 0.',
        unit: 'none',
        empty: 'no NATS server is configured',
      },
      series(byRun(of('fcaenet_nats_connected')), 'connected'),
    )
      .min(0)
      .max(1),
    lines(
      {
        title: 'Epoch of the iteration',
        description: 'Finished epochs of the current iteration.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_epoch')), 'epochs finished'),
    ).min(0),
  ],
};

/** One run: its progress, quality, speed, and what a crash would cost. */
export function runDashboard(): Dashboard {
  return dashboard(
    {
      uid: 'fcaenet-run',
      title: 'FCAENet: run',
      description: 'One run: its progress, quality, speed, and what a crash would cost.',
      manyRuns: false,
    },
    [now, learning, speed, safety],
  );
}
