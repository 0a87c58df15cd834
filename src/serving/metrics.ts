import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Searcher } from '../search/searcher.js';
import type { Places } from './places.js';
import type { RefusalReason } from './refusal.js';

/** Seconds of a request, from a search of a small database to a large network on a processor. */
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of a server, as Prometheus reads them. */
export class ServingMetrics {
  readonly registry = new Registry();
  private readonly requests = new Counter({
    name: 'fcaenet_serve_requests_total',
    help: 'Requests that were answered, by route and status.',
    labelNames: ['route', 'status'],
    registers: [this.registry],
  });
  private readonly seconds = new Histogram({
    name: 'fcaenet_serve_request_seconds',
    help: 'Time from the request to its answer, by route.',
    labelNames: ['route'],
    buckets: secondsBuckets,
    registers: [this.registry],
  });
  private readonly refused = new Counter({
    name: 'fcaenet_serve_refused_total',
    help: 'Requests that were refused, by reason.',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  private readonly steps = new Histogram({
    name: 'fcaenet_serve_step_seconds',
    help: 'Time of a part of a search: encode or search.',
    labelNames: ['step'],
    buckets: secondsBuckets,
    registers: [this.registry],
  });

  constructor(searcher: Searcher, places: Places) {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        ...{ name, help, registers: [this.registry] },
        collect() {
          this.set(read());
        },
      });
    gauge('fcaenet_serve_searches', 'Searches that are received, wait or are answered.', () => places.count);
    gauge('fcaenet_serve_database_codes', 'Codes of the database.', () => searcher.database.size);
    gauge('fcaenet_serve_index_bytes', 'Bytes of the index of codes.', () => searcher.index.memoryBytes);
    collectDefaultMetrics({ register: this.registry });
  }

  answered(route: string, status: number, seconds: number): void {
    this.requests.inc({ route, status });
    this.seconds.observe({ route }, seconds);
  }

  refuse(reason: RefusalReason): void {
    this.refused.inc({ reason });
  }

  /** Measures a part of a search. */
  async timed<Value>(step: 'encode' | 'search', work: () => Promise<Value> | Value): Promise<Value> {
    const stop = this.steps.startTimer({ step });
    try {
      return await work();
    } finally {
      stop();
    }
  }
}
