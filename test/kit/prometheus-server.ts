import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './free-port.js';

/** Empty where the server is installed; else why tests that need it are skipped, for their title. */
export const prometheusMissing =
  spawnSync('prometheus', ['--version']).error === undefined ? '' : ' (skipped: prometheus is not installed)';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One time series of an answer. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [time: number, value: string])[];
}

/** An alert that fires or is about to. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** Something to scrape, and labels that it gets as from service discovery. */
export interface Target {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A real Prometheus that scrapes and evaluates every second. */
export class PrometheusServer {
  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  /** @param rules text of a rule file */
  static async start(targets: readonly Target[], rules: string): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'fcaenet-prometheus-'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'fcaenet', file_sd_configs: [{ files: ['targets.json'] }] }],
    };
    writeFileSync(join(folder, 'prometheus.yaml'), stringify(config));
    writeFileSync(join(folder, 'rules.yaml'), rules);
    const groups = targets.map(({ address, labels }) => ({ targets: [address], labels }));
    writeFileSync(join(folder, 'targets.json'), JSON.stringify(groups));
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    running.add(child);
    child.once('exit', () => running.delete(child));
    const server = new PrometheusServer(folder, port, child);
    while (!(await server.isReady())) {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return server;
  }

  /** Series that the expression gave at any moment between two Unix times. Throws what the server says is wrong. */
  async range(expr: string, startSeconds: number, endSeconds: number): Promise<Series[]> {
    const range = { query: expr, start: String(startSeconds), end: String(endSeconds), step: '1' };
    return ((await this.get('query_range', range)) as { result: Series[] }).result;
  }

  /** Values of a label among the series that match. */
  async labelValues(label: string, match: string): Promise<string[]> {
    return (await this.get(`label/${label}/values`, { 'match[]': match })) as string[];
  }

  async alerts(): Promise<Alert[]> {
    return ((await this.get('alerts', {})) as { alerts: Alert[] }).alerts;
  }

  async remove(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exit = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await exit;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async get(path: string, parameters: Record<string, string>): Promise<unknown> {
    const query = new URLSearchParams(parameters);
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}?${query}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') throw new Error(`${answer.error} in ${JSON.stringify(parameters)}`);
    return answer.data;
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.port}/-/ready`)).ok;
    } catch {
      return false;
    }
  }
}
