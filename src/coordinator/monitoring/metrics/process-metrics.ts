import type { Instruments } from './instruments.js';

export interface ProcessSources {
  /** Lines of the coordinator's own log that could not be written so far. */
  lostLogLines(): number;
}

/** Metrics of the coordinator's process. Most have the names that every Prometheus client uses. */
export function registerProcessMetrics(instruments: Instruments, sources: ProcessSources): void {
  instruments.counterOf(
    'fcaenet_log_lines_lost_total',
    'Lines of the coordinator’s log that could not be written.',
    [],
    (counter) => counter.inc(sources.lostLogLines()),
  );
  instruments
    .gauge('process_start_time_seconds', 'Unix time at which the coordinator’s process began.')
    .set(performance.timeOrigin / 1000);
  instruments.gaugeOf(
    'process_resident_memory_bytes',
    'Memory that the coordinator’s process holds.',
    [],
    (gauge) => gauge.set(process.memoryUsage.rss()),
  );
  instruments.counterOf(
    'process_cpu_seconds_total',
    'Processor time that the coordinator’s process has used.',
    [],
    (counter) => {
      const { user, system } = process.cpuUsage();
      counter.inc((user + system) / 1e6);
    },
  );
}
