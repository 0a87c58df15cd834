import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Makes metrics in one registry: those that are told, and those that are read when they are scraped. */
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
   * @param values each of the label's values, if they are known: a series that only appears with its first count has
   * no increase that Prometheus could see
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

  /** A gauge that begins empty at every scrape; what `read` does not set is absent. */
  gaugeOf(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (gauge: Gauge) => void | Promise<void>,
  ): void {
    const collect = function (this: Gauge) {
      // A gauge without labels shows 0 after a reset; only removing it leaves it out.
      if (labelNames.length === 0) this.remove();
      else this.reset();
      return read(this);
    };
    new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry], collect });
  }

  /** A counter whose totals are kept elsewhere. */
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
