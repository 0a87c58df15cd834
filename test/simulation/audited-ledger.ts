import { join } from 'node:path';
import { KeyedRandom } from '../../src/data/random.js';
import { TripletSampler } from '../../src/data/sampler.js';
import { arithmeticVersion } from '../../src/identity/arithmetic-version.js';
import { proveSamples } from '../../src/inspection/prove.js';
import type { LedgerHeader } from '../../src/ledger/entry.js';
import { readLedger } from '../../src/ledger/reader.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { trainingHash } from '../../src/run/training-hash.js';
import type { Plan } from './faults.js';
import { datasetOf, runIn } from './simulated-run.js';

/** The ledger of the highest term holds every step once, with the samples that the keys choose; rejects otherwise. */
export async function auditLedger(runsDirectory: string, plan: Plan): Promise<void> {
  const run = runIn(runsDirectory, plan);
  const dataset = datasetOf(plan);
  const { spec } = run;
  const [file] = RunDirectory.at(join(runsDirectory, 'simulated')).ledgerFiles();
  const header: LedgerHeader = {
    format: 'fcaenet-ledger',
    formatVersion: 1,
    trainingHash: trainingHash(run),
    datasetFingerprint: dataset.fingerprint,
    arithmeticVersion,
  };
  const sampler = new TripletSampler({
    random: new KeyedRandom(spec.seed),
    labels: dataset.train.labels,
    classCount: dataset.classNames.length,
    sampleSize: spec.dataset.sampleSize,
    batchSize: spec.schedule.batchSize,
  });
  const { steps } = await readLedger(file!, header);
  proveSamples(spec, sampler, steps);
}
