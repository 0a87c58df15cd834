import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { place, type Section } from './layout.js';
import { dataSource } from './panels.js';
import { of } from './queries.js';

export interface DashboardText {
  /** Of the dashboard's address, and its file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Whether several runs may be chosen at a time. */
  readonly manyRuns: boolean;
}

/** A mark on the time axis wherever `expr`, a Unix time in seconds, points to. */
function mark(name: string, color: string, expr: string, text: string) {
  const annotation = new AnnotationQueryBuilder()
    .name(name)
    .datasource(dataSource)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .build();
  // The Prometheus data source's own fields, which the types of dashboards do not have.
  const own = { useValueForTime: true, titleFormat: name, textFormat: text, step: '15s' };
  return { build: () => ({ ...annotation, ...own }) };
}

const events = [
  mark(
    'Coordinator started',
    'blue',
    `${of('process_start_time_seconds')} * 1000`,
    'run {{run}}: a coordinator started, or continued from a checkpoint',
  ),
  mark(
    'Evaluated',
    'purple',
    `${of('fcaenet_evaluation_timestamp_seconds')} * 1000`,
    'run {{run}}: an iteration was evaluated',
  ),
  mark(
    'Waiting for workers',
    'orange',
    `(${of('fcaenet_waiting_since_seconds')} > 0) * 1000`,
    'run {{run}}: too few workers from this time on',
  ),
];

const allValue = '.*';

function variables(manyRuns: boolean) {
  const run = new QueryVariableBuilder('run')
    .label('Run')
    .description('The name in the run file.')
    .datasource(dataSource)
    .query('label_values(fcaenet_iteration{namespace=~"$namespace"}, run)')
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
  const all = { text: 'All', value: '$__all', selected: true };
  return [
    new DatasourceVariableBuilder('datasource')
      .label('Data source')
      .description('A Prometheus that scrapes the coordinators.')
      .type('prometheus'),
    new QueryVariableBuilder('namespace')
      .label('Namespace')
      .description(
        'Namespace of the coordinator’s pod. Outside Kubernetes there is none, and All shows every run.',
      )
      .datasource(dataSource)
      .query('label_values(fcaenet_iteration, namespace)')
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue(allValue)
      .current(all),
    manyRuns ? run.multi(true).includeAll(true).allValue(allValue).current(all) : run,
  ];
}

/** A dashboard with what all share: variables above the panels, annotations of events, links to the other dashboards. */
export function dashboard(text: DashboardText, sections: readonly Section[]): Dashboard {
  const { uid, title, description, manyRuns } = text;
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['fcaenet'])
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(variables(manyRuns))
    .annotations(events)
    .link(
      new DashboardLinkBuilder('Dashboards of FCAENet')
        .type(DashboardLinkType.Dashboards)
        .tags(['fcaenet'])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
    );
  for (const { row, panels } of place(sections)) {
    builder.withRow(row);
    for (const panel of panels) builder.withPanel(panel);
  }
  return builder.build();
}
