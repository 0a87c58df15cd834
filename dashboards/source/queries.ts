import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/** What every query is about: the run or runs chosen above the panels. A plain Prometheus has no namespaces. */
export const chosen = 'namespace=~"$namespace", run=~"$run"';

/**
 * A metric of the chosen runs.
 * @param matchers further ones, such as `state="ready"`
 */
export function of(metric: string, ...matchers: string[]): string {
  return `${metric}{${[chosen, ...matchers].join(', ')}}`;
}

/** How fast a counter of the chosen runs grows, a second. */
export function rate(counter: string, ...matchers: string[]): string {
  return `rate(${of(counter, ...matchers)}[$__rate_interval])`;
}

/** A value by run, whichever pod of the coordinator it comes from. */
export function byRun(expression: string, aggregation: 'max' | 'sum' = 'max'): string {
  return `${aggregation} by (namespace, run) (${expression})`;
}

export function byWorker(expression: string, aggregation: 'max' | 'sum' = 'sum'): string {
  return `${aggregation} by (namespace, run, worker) (${expression})`;
}

/** Of workers that compute on several devices. */
export function byDevice(expression: string): string {
  return `sum by (namespace, run, worker, device) (${expression})`;
}

/** Values over the time shown. */
export function series(expr: string, legend: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).range();
}

/** Values at the end of the time shown. */
export function latest(expr: string, legend: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).instant();
}

/** The same as rows of a table, a column for each label. */
export function rows(expr: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).instant().format(PromQueryFormat.Table);
}
