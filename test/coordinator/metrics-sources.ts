import { type CoordinatorPath, dataPaths, noTraffic } from '../../src/coordinator/dispatch/data-path.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import type { CertificateSources } from '../../src/coordinator/monitoring/metrics/certificate-metrics.js';
import type { MetricsSources } from '../../src/coordinator/monitoring/metrics/run-metrics.js';
import type { IterationRecord } from '../../src/coordinator/training/run-state.js';
import { readTrainingRun } from '../../src/run/read.js';
import { startPosition } from '../../src/schedule/schedule.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

/** Everything that metrics are read from, to be changed between two scrapes. */
export class MetricsWorld {
  nowMs = 1_800_000_000_000;
  position = startPosition;
  history: IterationRecord[] = [];
  traffic = noTraffic(dataPaths);
  paths: CoordinatorPath[] = [];
  workers: Record<string, number> = {};
  members: Member[] = [];
  refused: Record<string, number> = {};
  droppedWorkerLogLines = 0;
  answers = { microbatches: 0, computeSeconds: 0, imageWaitSeconds: 0 };
  waitingSince: number | null = null;
  spareWorkers = 0;
  diskWatch = { overdueTotal: 0, longestSeconds: 0 };
  diskSpace: { freeBytes: number; sizeBytes: number } | null = null;
  events = { published: 0, lost: 0 };
  natsConnected: boolean | null = null;
  restoredAtMs: number | null = null;
  certificates: CertificateSources['certificates'] = {};
  lostLogLines = 0;

  get sources(): MetricsSources {
    return {
      run: 'birds',
      spec: readTrainingRun('examples/quick.yaml').spec,
      stepsPerEpoch: 16,
      position: () => this.position,
      history: () => this.history,
      traffic: () => this.traffic,
      paths: () => this.paths,
      workers: () => this.workers,
      members: () => this.members,
      answers: () => this.answers,
      refusedConnections: () => this.refused,
      droppedWorkerLogLines: () => this.droppedWorkerLogLines,
      waitingSince: () => this.waitingSince,
      minWorkers: 1,
      spareWorkers: () => this.spareWorkers,
      diskSpace: async () => this.diskSpace,
      diskWatch: this.diskWatch,
      restoredAtMs: this.restoredAtMs,
      events: () => this.events,
      natsConnected: () => this.natsConnected,
      certificates: this.certificates,
      lostLogLines: () => this.lostLogLines,
      term: 4,
      nowMs: () => this.nowMs,
    };
  }

  /** A worker that has joined, in the smallest free slot. */
  admit(): Member {
    const taken = this.members.map(({ slot }) => slot);
    let slot = 0;
    while (taken.includes(slot)) slot++;
    const member = unconnectedMember(slot, `pod-${slot}`);
    member.moveTo('ready');
    member.engine = { name: 'onednn', version: '2.6.0', device: 'cpu', instructionSet: 'avx512' };
    this.members.push(member);
    return member;
  }
}

/** One evaluated iteration of a history. */
export function evaluated(iteration: number, mAP: number): IterationRecord {
  const evaluation = { queries: 9, mAP, tieAveragedMAP: mAP - 0.01, precisionAt: {} };
  return { iteration, learningRate: 0.01, losses: [0, 0, 0, 0], flippedBits: 0, evaluation };
}
