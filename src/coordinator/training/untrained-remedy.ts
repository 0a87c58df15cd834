import { join } from 'node:path';
import type { OwnCommand } from '../../console/own-command.js';
import { featureMethod } from '../../methods/methods.js';
import { publishedFor } from '../../model/weights/catalogue.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { RunResult } from './result.js';

const longestName = 63;

/**
 * Advice for a finished run whose codes are not better than untrained features: the command of a better run. It uses
 * pretrained weights. If the run used them already, or none are published, it has twice the iterations instead, where
 * the method trains.
 * @returns null when the codes are better, or were not compared, or nothing makes them better
 */
export function untrainedRemedy(
  { metadata, spec }: TrainingRun,
  { mAP, untrained }: Pick<RunResult, 'mAP' | 'untrained'>,
  command: Pick<OwnCommand, 'again' | 'sibling'>,
): string | null {
  if (mAP === null || untrained === null) return null;
  if (mAP > Math.max(untrained.colorHistogram, untrained.randomProjection)) return null;
  const named = (ending: string) =>
    `metadata.name=${metadata.name.slice(0, longestName - ending.length)}${ending}`;
  const published = spec.model.weights === null ? publishedFor(spec.model) : undefined;
  if (published) {
    const path = join('weights', published.file);
    const fetch = command.sibling(['weights', 'fetch', published.name, '--output', path]);
    return `${fetch} && ${command.again([named('-pretrained'), `spec.model.weights=${path}`])}`;
  }
  if (featureMethod(spec.method)) return null;
  const { iterations, decayAfter } = spec.schedule;
  return command.again([
    named('-longer'),
    `spec.schedule.iterations=${2 * iterations}`,
    `spec.schedule.decayAfter=${JSON.stringify(decayAfter.map((iteration) => 2 * iteration))}`,
  ]);
}
