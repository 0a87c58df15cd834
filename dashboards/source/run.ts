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
import { described, limits, lines, stat } from './panels.js';
import { byRun, latest, of, rate, series } from './queries.js';

const now: Section = {
  title: 'Where it stands',
  height: 4,
  perRow: 4,
  panels: [
    stat(
      {
        title: 'Iterations',
        description:
          'How many iterations are finished, of how many. The code length and the schedule follow from the run file.',
        unit: 'none',
        empty: 'no run chosen',
      },
      latest(byRun(of('fcaenet_iteration')), 'finished'),
      latest(byRun(of('fcaenet_configured_iterations')), 'of'),
    ),
    stat(
      {
        title: 'Steps done',
        description: 'Which share of all optimiser steps of the run is done.',
        unit: 'percentunit',
        empty: 'no run chosen',
      },
      latest(`${byRun(of('fcaenet_step'))} / ${byRun(of('fcaenet_configured_steps'))}`, 'done'),
    ),
    stat(
      {
        title: 'Time left',
        description:
          'When the run will be finished at the speed of the last steps, evaluations included once one was measured.',
        unit: 's',
        empty: 'not known before the first step',
      },
      latest(byRun(of('fcaenet_remaining_seconds')), 'left'),
    ),
    stat(
      {
        title: 'Workers at work',
        description: 'How many workers may be given microbatches. Below the least the run waits.',
        unit: 'none',
        empty: 'no run chosen',
      },
      latest(byRun(of('fcaenet_workers', 'state=~"ready|computing"'), 'sum'), 'at work'),
      latest(byRun(of('fcaenet_min_workers')), 'least'),
    ),
    stat(
      {
        title: 'Mean average precision',
        description:
          'How good the codes are: the last evaluation, ties ranked by database index, and the best so far.',
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
          'How fast the run is, over the last minutes. It grows with workers up to one for each microbatch.',
        unit: 'cps',
        empty: 'no step yet',
      },
      latest(byRun(rate('fcaenet_images_total'), 'sum'), 'images per second'),
    ),
    stat(
      {
        title: 'Checkpoint age',
        description: 'How much work a crash at this moment would repeat.',
        unit: 's',
        empty: 'no checkpoint yet',
      },
      latest(byRun(of('fcaenet_checkpoint_age_seconds')), 'age'),
    ).thresholds(limits([900, 'yellow'], [1800, 'red'])),
    stat(
      {
        title: 'Flipped bits',
        description:
          'How many bits of all database codes the last V-step changed. They become fewer as the codes settle.',
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
      'How good the codes are after each iteration, whenever that was: runs that were interrupted compare with those that were not.',
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
          'What the last batch cost, by term of the loss: similarity, quantisation, positive, augmented. All should fall within an iteration; the V-step between two iterations makes them jump.',
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
          'Whether the run still gets better, with ties ranked by database index and averaged; the two are far apart where many codes are equal.',
        unit: 'percentunit',
        empty: 'not evaluated yet',
      },
      series(`max by (namespace, run, ties) (${of('fcaenet_mean_average_precision')})`, 'ties {{ties}}'),
      series(byRun(of('fcaenet_best_mean_average_precision')), 'best'),
    ),
    lines(
      {
        title: 'Flipped bits of each V-step',
        description: 'Whether the database codes settle.',
        unit: 'short',
        empty: 'no V-step yet',
      },
      series(byRun(of('fcaenet_flipped_bits')), 'flipped bits'),
    ).min(0),
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
        description: 'When the run became faster or slower; workers that come and go show here.',
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
          'How long steps take, and how much longer the slowest ones: a wide gap means stragglers or workers that left.',
        unit: 's',
        empty: 'no step in this time',
      },
      series(quantile(0.5), 'half of the steps'),
      series(quantile(0.95), '95 % of the steps'),
    ).min(0),
    lines(
      {
        title: 'V-step and evaluation',
        description: 'What an iteration takes besides its steps.',
        unit: 's',
        empty: 'neither happened yet',
      },
      series(byRun(of('fcaenet_v_step_seconds')), 'V-step'),
      series(byRun(of('fcaenet_evaluation_seconds')), 'evaluation'),
    ).min(0),
    lines(
      {
        title: 'Time left over time',
        description: 'Whether the run keeps its promise: the line should fall by an hour an hour.',
        unit: 's',
        empty: 'not known before the first step',
      },
      series(byRun(of('fcaenet_remaining_seconds')), 'left'),
    ).min(0),
    lines(
      {
        title: 'Time since it last got ahead',
        description:
          'Whether the run hangs: no step, V-step, evaluation or encoded images for so long. Pauses show as well.',
        unit: 's',
        empty: 'no run chosen',
      },
      series(`time() - ${byRun(of('fcaenet_last_progress_timestamp_seconds'))}`, 'without progress'),
      series(byRun(of('fcaenet_paused')), 'paused (1)'),
    ).min(0),
    lines(
      {
        title: 'Coordinator',
        description:
          'Memory and processor time of the coordinator’s own process; one whole processor is busy at 1.',
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
        description: 'How much work was at risk at each moment; every checkpoint takes the line back to 0.',
        unit: 's',
        empty: 'no checkpoint yet',
      },
      series(byRun(of('fcaenet_checkpoint_age_seconds')), 'age'),
      series(byRun(of('fcaenet_checkpoint_seconds')), 'time it took to write'),
    ).min(0),
    lines(
      {
        title: 'Run volume',
        description:
          'Whether there is room for the next checkpoints on the file system of the run directory.',
        unit: 'bytes',
        empty: 'its file system does not answer',
      },
      series(byRun(of('fcaenet_disk_free_bytes')), 'free'),
      series(byRun(of('fcaenet_disk_size_bytes')), 'size'),
      series(byRun(of('fcaenet_checkpoint_bytes')), 'one checkpoint'),
    ).min(0),
    lines(
      {
        title: 'Leadership and checkpoints that failed',
        description:
          'How often another coordinator process took over: each has a higher term. Checkpoints that could not be written end a process.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_term')), 'term'),
      series(byRun(of('fcaenet_checkpoint_failures_total')), 'checkpoints that failed'),
    ).min(0),
    lines(
      {
        title: 'Events',
        description:
          'Whether what happens in the run is heard elsewhere. Events that one place lost are in events.jsonl still.',
        unit: 'cps',
        empty: 'no run chosen',
      },
      series(byRun(rate('fcaenet_events_published_total'), 'sum'), 'published'),
      series(byRun(rate('fcaenet_events_lost_total'), 'sum'), 'lost'),
    ).min(0),
    lines(
      {
        title: 'NATS server reached',
        description: 'Whether the NATS server was there: 1, else 0.',
        unit: 'none',
        empty: 'no NATS server is configured',
      },
      series(byRun(of('fcaenet_nats_connected')), 'reached'),
    )
      .min(0)
      .max(1),
    lines(
      {
        title: 'Epoch of the iteration',
        description: 'Where the run stands within an iteration.',
        unit: 'none',
        empty: 'no run chosen',
      },
      series(byRun(of('fcaenet_epoch')), 'epochs finished'),
    ).min(0),
  ],
};

/** One run, from how far it is to what a crash would cost. */
export function runDashboard(): Dashboard {
  return dashboard(
    {
      uid: 'fcaenet-run',
      title: 'FCAENet: run',
      description:
        'One run: how far it is, how well it learns, how fast it goes, and what a crash would cost.',
      manyRuns: false,
    },
    [now, learning, speed, safety],
  );
}
