import type { Instruments } from './instruments.js';

export interface EventSources {
  /** Run events so far. */
  events(): { readonly published: number; readonly lost: number };
  /** Null when no NATS server is configured. */
  natsConnected(): boolean | null;
  readonly term: number;
}

/** Metrics of leadership and of published events. */
export function registerEventMetrics(instruments: Instruments, sources: EventSources): void {
  instruments.gauge('fcaenet_term', 'The coordinator’s leadership term.').set(sources.term);
  instruments.counterOf(
    'fcaenet_events_published_total',
    'Run events that arrived everywhere they go.',
    [],
    (counter) => counter.inc(sources.events().published),
  );
  instruments.counterOf(
    'fcaenet_events_lost_total',
    'Run events given up because their place could not be reached.',
    [],
    (counter) => counter.inc(sources.events().lost),
  );
  instruments.gaugeOf(
    'fcaenet_nats_connected',
    'Whether the NATS server is reached; absent where none is configured.',
    [],
    (gauge) => {
      const connected = sources.natsConnected();
      if (connected !== null) gauge.set(connected ? 1 : 0);
    },
  );
}
