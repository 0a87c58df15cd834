import type { Section } from './layout.js';
import { lines } from './panels.js';
import { byRun, of, series } from './queries.js';

/**
 * A metric of NVIDIA's DCGM exporter for the GPUs of the chosen runs' workers. The exporter names the pod that has a GPU;
 * where its scrape does not honour labels, Prometheus has put `exported_` before them. A run is found by its namespace.
 */
function ofWorkers(metric: string): string {
  const gpus = `label_replace(label_replace(${metric}{exported_container="worker", exported_namespace=~"$namespace"}, "namespace", "$1", "exported_namespace", "(.*)"), "pod", "$1", "exported_pod", "(.*)") or ${metric}{container="worker", namespace=~"$namespace"}`;
  return `max by (namespace, pod, gpu) (${gpus}) * on (namespace) group_left (run) (${byRun(of('fcaenet_run_info'))})`;
}

export const gpu: Section = {
  title: 'GPUs (with the DCGM exporter)',
  height: 8,
  perRow: 2,
  panels: [
    lines(
      {
        title: 'GPU utilisation',
        description: 'Load of each GPU, by pod. It is low while workers wait for images or the network.',
        unit: 'percent',
        empty: 'no DCGM exporter is scraped, or the workers have no GPU',
      },
      series(ofWorkers('DCGM_FI_DEV_GPU_UTIL'), '{{pod}} GPU {{gpu}}'),
    )
      .min(0)
      .max(100),
    lines(
      {
        title: 'GPU memory',
        description: 'Used memory of each GPU, by pod.',
        unit: 'mbytes',
        empty: 'no DCGM exporter is scraped, or the workers have no GPU',
      },
      series(ofWorkers('DCGM_FI_DEV_FB_USED'), '{{pod}} GPU {{gpu}}'),
    ).min(0),
  ],
};
