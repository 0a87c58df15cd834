import { type CodeStatistics, codeStatistics } from '../../hashing/code-statistics.js';
import { packCodes } from '../../hashing/codes.js';
import { type ClassFigure, classFigures, countedNeighbours } from '../../inspection/class-figures.js';
import { classMeans } from '../../retrieval/class-means.js';
import { type Confusion, nearestClasses } from '../../retrieval/confusions.js';
import { type RankingCurves, rankingCurves } from '../../retrieval/curves.js';
import { type NearestItems, nearestItems } from '../../retrieval/nearest.js';
import type { RunMaterial } from './material.js';
import { type RunFlow, runFlow } from './run-flow.js';

/** A run with the figures that its codes and events give. */
export interface MeasuredRun extends RunMaterial {
  /** Mean average precision of the checkpoint's codes, over all queries. */
  readonly mAP: number;
  readonly curves: RankingCurves;
  readonly nearest: NearestItems;
  /** The worst first. */
  readonly classes: readonly ClassFigure[];
  /** Classes of the nearest images of each class's queries, by label. */
  readonly nearestClasses: readonly (readonly Confusion[])[];
  /** Of the database codes. */
  readonly statistics: CodeStatistics;
  /** Null for a run without events. */
  readonly flow: RunFlow | null;
}

/** Ranks the database for every query and measures the ranking and the codes. */
export async function measureRun(material: RunMaterial, signal: AbortSignal): Promise<MeasuredRun> {
  const { trained, databaseCodes, queryCodes, pictures, events } = material;
  const { bits } = trained.spec;
  const classCount = pictures.classNames.length;
  const input = {
    queryCodes: packCodes(queryCodes, bits),
    queryLabels: Int32Array.from(pictures.test.labels),
    databaseCodes: trained.databaseCodes,
    databaseLabels: Int32Array.from(pictures.train.labels),
    bits,
    classCount,
  };
  const curves = await rankingCurves(input, signal);
  const nearest = await nearestItems(input, countedNeighbours, signal);
  const shares = nearestClasses(nearest, input.queryLabels, input.databaseLabels, classCount);
  const perClassAP = classMeans(curves.averagePrecisions, input.queryLabels, classCount);
  return {
    ...material,
    mAP: curves.averagePrecisions.reduce((sum, value) => sum + value, 0) / input.queryLabels.length,
    curves,
    nearest,
    classes: classFigures(perClassAP, input.queryLabels, shares, pictures.classNames),
    nearestClasses: shares,
    statistics: codeStatistics(databaseCodes, bits),
    flow: runFlow(events),
  };
}
