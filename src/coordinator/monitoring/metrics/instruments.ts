import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/**
 * Creates metrics in one registry. The metrics of `gaugeOf` and `counterOf` are read at every scrape. The others are set
 * when something happens.
 */
export class Instruments {
  constructor(private readonly registry: Registry) {}

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** A gauge that is absent until it is first set. */
  lateGauge(name: string, help: string): Gauge {
    const gauge = this.gauge(name, help);
    gauge.remove();
    return gauge;
  }

  /**
   * @param values all values of the label, if they are known. Their series begin at 0. If a series began at 1,
   *   Prometheus would not see the first increase.
   */
  counter(name: string, help: string, label?: string, values: readonly string[] = []): Counter {
    const labelNames = label === undefined ? [] : [label];
    const counter = new Counter({ name, help, labelNames, registers: [this.registry] });
    for (const value of values) counter.inc({ [label!]: value }, 0);
    return counter;
  }

  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return new Histogram({ name, help, buckets: [...buckets], registers: [this.registry] });
  }

  /** A gauge that is emptied at every scrape. Values that `read` does not set are absent. */
  gaugeOf(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (gauge: Gauge) => void | Promise<void>,
  ): void {
    const collect = function (this: Gauge) {
      // After a reset, a gauge without labels shows 0. Only `remove` makes it absent.
      if (labelNames.length === 0) this.remove();
      else this.reset();
      return read(this);
    };
    new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry], collect });
  }

  /** A counter whose totals are read at every scrape. */
  counterOf(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (counter: Counter) => void,
  ): void {
    const collect = function (this: Counter) {
      this.reset();
      read(this);
    };
    new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry], collect });
  }
}
