import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { runCommandLine } from '../command-line.js';
import { smallDataset, smallRunFile } from '../small-run.js';
import type { Cluster } from './cluster.js';
import { fillIn } from './fill-in.js';
import { kustomize, type Manifest } from './kustomize.js';

export interface WrittenRun {
  readonly state: string;
  readonly mAP: number;
  readonly weightsSha256: string;
  readonly codesSha256: string;
}

/** A row of a table on a small dataset: written as Jobs, as its page says, and by one command on this machine. */
export class TableRow {
  static readonly bits = [12, 24, 32, 48];
  private readonly folder = mkdtempSync(join(tmpdir(), 'fcaenet-table-row-'));

  static async make(): Promise<TableRow> {
    const row = new TableRow();
    await smallDataset(join(row.folder, 'data'));
    const { spec } = smallRunFile;
    const operation = { ...spec.operation, lease: { seconds: 2 } };
    // The command needs no dataset then: the folder is the pods'.
    const dataset = { ...spec.dataset, kind: 'cub' };
    // Long enough to be interrupted several times.
    const schedule = { ...spec.schedule, iterations: 8 };
    const run = {
      ...smallRunFile,
      metadata: { name: 'row' },
      spec: { ...spec, dataset, schedule, operation },
    };
    writeFileSync(join(row.folder, 'row.yaml'), stringify(run));
    return row;
  }

  /** The name of the Job with codes of this many bits. */
  static job(bits: number): string {
    return `cell-fcaenet-${bits}bit-seed0`;
  }

  /** What the page says: write, fill in, check, build. */
  async build(): Promise<Manifest[]> {
    await this.table('--data', '/data/small', '--output', 'cluster', '--manifests', 'manifests');
    const file = join(this.folder, 'manifests', 'kustomization.yaml');
    writeFileSync(file, fillIn(readFileSync(file, 'utf8')));
    const check = await runCommandLine(['doctor', '--kube', 'manifests'], { cwd: this.folder });
    expect(check).toMatchObject({ exitCode: 0, stderr: '' });
    return kustomize(join(this.folder, 'manifests'));
  }

  /** Fills the dataset's volume. */
  provide({ volumes }: Cluster): void {
    const claim = volumes.claim('dataset');
    mkdirSync(join(claim, 'small'));
    cpSync(join(this.folder, 'data'), join(claim, 'small'), { recursive: true });
  }

  /** What the table says of the runs on the cluster's volume. */
  async collect({ volumes }: Cluster): Promise<WrittenRun[]> {
    cpSync(volumes.claim('runs'), join(this.folder, 'cluster', 'runs'), { recursive: true });
    await this.table('--data', '/data/small', '--output', 'cluster', '--report');
    return this.runsOf('cluster');
  }

  /** What it says of the same runs when one command carries them out. */
  async elsewhere(): Promise<WrittenRun[]> {
    await this.table('--data', 'data', '--output', 'elsewhere', '--workers', '1');
    const runs = this.runsOf('elsewhere');
    expect(runs.map(({ state }) => state)).toEqual(TableRow.bits.map(() => 'finished'));
    return runs;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async table(...options: string[]): Promise<void> {
    const row = ['table', 'row.yaml', '--methods', 'fcaenet', '--bits', TableRow.bits.join(), '--seeds', '1'];
    const result = await runCommandLine([...row, '--equal', 'steps', ...options], { cwd: this.folder });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  }

  private runsOf(output: string): WrittenRun[] {
    const { places } = JSON.parse(readFileSync(join(this.folder, output, 'table.json'), 'utf8'));
    return places.flatMap(({ runs }: { runs: WrittenRun[] }) =>
      runs.map(({ state, mAP, weightsSha256, codesSha256 }) => ({ state, mAP, weightsSha256, codesSha256 })),
    );
  }
}
