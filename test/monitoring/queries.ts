import { type DashboardFile, type Rule, readDashboards, readRules } from './sources.js';

/** An expression somewhere in dashboards or rules. */
export interface Query {
  readonly where: string;
  readonly expr: string;
}

/** Queries that may give nothing while all is well, by where they are, and why. */
export const emptyByDesign: Readonly<Record<string, string>> = {
  'fleet.json: Alerts':
    'a run in which nothing is wrong has no alerts; test/full/alerts.test.ts sees each fire',
  'run.json: mark Waiting for workers': 'no run needs to wait once its workers are there',
  'workers.json: mark Waiting for workers': 'the same',
  'fleet.json: mark Waiting for workers': 'the same',
  'workers.json: Microbatches by device':
    'the run has no worker with several devices; test/coordinator/metrics.test.ts changes their numbers',
  'workers.json: Seconds of a microbatch by device': 'the same',
};

/** Every query of panels and marks, and each metric that recording rules and alerts read. */
export function allQueries(): Query[] {
  return [...readDashboards().flatMap(dashboardQueries), ...readRules().flatMap(ruleQueries)];
}

function dashboardQueries([file, { panels, annotations }]: [string, DashboardFile]): Query[] {
  const ofPanels = panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ expr }) => ({ where: `${file}: ${title}`, expr })),
  );
  const marks = annotations.list.map(({ name, expr }) => ({ where: `${file}: mark ${name}`, expr }));
  return [...ofPanels, ...marks];
}

/**
 * A recording rule gives data as it is. An alert gives none as long as all is well, so what is asked for is each series
 * that it looks at.
 */
function ruleQueries({ record, alert, expr }: Rule): Query[] {
  if (record !== undefined)
    return [
      { where: `rule ${record}`, expr: record },
      { where: `rule ${record}`, expr },
    ];
  return selectorsOf(expr).map((selector) => ({ where: `alert ${alert}`, expr: selector }));
}

/** The series that an expression reads: names of this project's metrics, with their matchers. */
export function selectorsOf(expr: string): string[] {
  return [...expr.matchAll(/(?:fcaenet[_:]|process_)[\w:]+(?:\{[^}]*\})?/g)].map(([selector]) => selector);
}

/** The variables of dashboards: `[where, the series that are looked through, the label]`. */
export function allVariables(): [where: string, series: string, label: string][] {
  return readDashboards().flatMap(([file, { templating }]) =>
    templating.list.flatMap(({ name, query }): [string, string, string][] => {
      const match = /^label_values\((.*), (\w+)\)$/.exec(query);
      return match ? [[`${file}: variable ${name}`, match[1]!, match[2]!]] : [];
    }),
  );
}

/** What Grafana makes of a query when these are chosen. */
export function filledIn(expr: string, choice: { readonly namespace: string; readonly run: string }): string {
  return expr
    .replaceAll('$namespace', choice.namespace)
    .replaceAll('$run', choice.run)
    .replaceAll('$__rate_interval', '10s');
}
