import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './frame.js';
import type { Section } from './layout.js';
import { letter, lines, table } from './panels.js';
import { byRun, of, rate, rows, series } from './queries.js';

/** Columns of the table of runs: heading, unit, query. */
const columns: readonly (readonly [heading: string, unit: string, expr: string])[] = [
  ['done', 'percentunit', `${byRun(of('fcaenet_step'))} / ${byRun(of('fcaenet_configured_steps'))}`],
  ['iteration', 'none', byRun(of('fcaenet_iteration'))],
  ['mAP', 'percentunit', byRun(of('fcaenet_mean_average_precision', 'ties="index"'))],
  ['best mAP', 'percentunit', byRun(of('fcaenet_best_mean_average_precision'))],
  ['images/s', 'none', byRun(rate('fcaenet_images_total'), 'sum')],
  ['workers', 'none', byRun(of('fcaenet_workers', 'state=~"ready|computing"'), 'sum')],
  ['time left', 's', byRun(of('fcaenet_remaining_seconds'))],
  ['checkpoint age', 's', byRun(of('fcaenet_checkpoint_age_seconds'))],
];

const runs = table(
  {
    title: 'Runs side by side',
    description: 'All runs: what they train, their progress and their quality.',
    unit: 'none',
    empty: 'no run is running',
  },
  rows(`max by (namespace, run, method, bits, backbone) (${of('fcaenet_run_info')})`),
  ...columns.map(([, , expr]) => rows(expr)),
)
  .withTransformation({ id: 'merge', options: {} })
  .withTransformation({
    id: 'organize',
    options: {
      excludeByName: { Time: true, 'Value #A': true },
      renameByName: Object.fromEntries(
        columns.map(([heading], index) => [`Value #${letter(index + 1)}`, heading]),
      ),
    },
  });
for (const [heading, unit] of columns) runs.overrideByName(heading, [{ id: 'unit', value: unit }]);

const overview: Section = {
  title: 'Runs',
  height: 9,
  perRow: 1,
  panels: [
    runs,
    table(
      {
        title: 'Alerts',
        description:
          'Alerts of deploy/prometheus/rules.yaml that fire or are pending. Each has a page in docs/runbooks.',
        unit: 'none',
        empty: 'no alert is firing',
      },
      rows(
        `max by (namespace, run, alertname, alertstate, severity) (${of('ALERTS', 'alertname=~"Fcaenet.*"')})`,
      ),
    ).withTransformation({
      id: 'organize',
      options: { excludeByName: { Time: true, Value: true } },
    }),
  ],
};

const comparison: Section = {
  title: 'Comparison',
  height: 9,
  perRow: 2,
  panels: [
    lines(
      {
        title: 'Mean average precision of each run',
        description: 'Quality of each run over time: which is the best, and which still improves.',
        unit: 'percentunit',
        empty: 'no run was evaluated yet',
      },
      series(byRun(of('fcaenet_mean_average_precision', 'ties="index"')), '{{namespace}} {{run}}'),
    ),
    lines(
      {
        title: 'Images per second of each run',
        description: 'Speed of each run over time.',
        unit: 'cps',
        empty: 'no step in this time',
      },
      series(byRun(rate('fcaenet_images_total'), 'sum'), '{{namespace}} {{run}}'),
    ).min(0),
    lines(
      {
        title: 'Steps done of each run',
        description: 'Progress of each run. A flat line means that the run stood still.',
        unit: 'percentunit',
        empty: 'no run is running',
      },
      series(
        `${byRun(of('fcaenet_step'))} / ${byRun(of('fcaenet_configured_steps'))}`,
        '{{namespace}} {{run}}',
      ),
    )
      .min(0)
      .max(1),
    lines(
      {
        title: 'Workers of each run',
        description: 'Workers of each run that can compute microbatches.',
        unit: 'none',
        empty: 'no run is running',
      },
      series(byRun(of('fcaenet_workers', 'state=~"ready|computing"'), 'sum'), '{{namespace}} {{run}}'),
    ).min(0),
  ],
};

/** All runs side by side. */
export function fleetDashboard(): Dashboard {
  return dashboard(
    {
      uid: 'fcaenet-fleet',
      title: 'FCAENet: fleet',
      description: 'All runs side by side: what they train, their progress, quality and alerts.',
      manyRuns: true,
    },
    [overview, comparison],
  );
}
