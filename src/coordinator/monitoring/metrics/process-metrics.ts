import type { Instruments } from './instruments.js';

/** The coordinator's process, under the names that every Prometheus client uses. */
export function registerProcessMetrics(instruments: Instruments): void {
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
