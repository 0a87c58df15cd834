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
    description: 'Which runs there are, what they train, how far and how good they are.',
    unit: 'none',
    empty: 'no run is going on',
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
          'Which alerts of deploy/prometheus/rules.yaml fire or are about to; each has a page in docs/runbooks.',
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
  title: 'Compared',
  height: 9,
  perRow: 2,
  panels: [
    lines(
      {
        title: 'Mean average precision of each run',
        description: 'Which run is the best so far, and which still gets better.',
        unit: 'percentunit',
        empty: 'no run was evaluated yet',
      },
      series(byRun(of('fcaenet_mean_average_precision', 'ties="index"')), '{{namespace}} {{run}}'),
    ),
    lines(
      {
        title: 'Images per second of each run',
        description: 'How the machines are shared between runs.',
        unit: 'cps',
        empty: 'no step in this time',
      },
      series(byRun(rate('fcaenet_images_total'), 'sum'), '{{namespace}} {{run}}'),
    ).min(0),
    lines(
      {
        title: 'Steps done of each run',
        description: 'How far each run is, and when it stood still.',
        unit: 'percentunit',
        empty: 'no run is going on',
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
        description: 'How many workers each run has that may be given work.',
        unit: 'none',
        empty: 'no run is going on',
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
      description:
        'All runs side by side: what they train, how far and how good they are, and what alerts say.',
      manyRuns: true,
    },
    [overview, comparison],
  );
}
