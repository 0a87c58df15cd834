import * as z from 'zod';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { ExitCode } from '../errors.js';
import { type Method, methods } from '../methods/methods.js';
import { parseJson } from '../run/parse-json.js';
import type { TrainingRun } from '../run/training-run.js';
import { hasItsDigest, textWithDigest } from './document-digest.js';
import { ExperimentError } from './error.js';
import type { TunedSettings } from './plan-grid.js';

/** A search of thousands of trials is far smaller. */
const largestFileBytes = 1 << 26;
const kind = 'fcaenet search';

/** Settings that a search may choose, and no others: a file from elsewhere cannot change where a run writes. */
const tunablePaths = [
  'spec.loss.alpha',
  'spec.loss.beta',
  'spec.schedule.learningRate',
  'spec.schedule.decayAfter',
  'spec.erasing.regions',
  'spec.erasing.size',
] as const;
export type TunablePath = (typeof tunablePaths)[number];

const value = z.union([z.number(), z.array(z.number())]);
/** Values of settings, by path. */
export type TunedValues = Readonly<Partial<Record<TunablePath, z.output<typeof value>>>>;

const schema = z.looseObject({
  kind: z.literal(kind),
  method: z.enum(methods as readonly [Method, ...Method[]]),
  bits: z.number().int().min(1).max(64),
  /** What distinguishes this search from others in the same folder. */
  search: z.record(z.string(), z.unknown()),
  /** Null until the search has finished. */
  chosen: z
    .looseObject({ trial: z.number(), settings: z.partialRecord(z.enum(tunablePaths), value) })
    .nullable(),
});
export type TunedDocument = z.output<typeof schema>;

/** The text of `tune.json`: the document with its digest, by which a damaged or changed file is recognised. */
export function tunedText(document: Omit<TunedDocument, 'kind'>): string {
  return textWithDigest({ kind, ...document });
}

/**
 * Reads what a search has written.
 * @throws ExperimentError EXPERIMENT_TUNED_UNREADABLE, EXPERIMENT_TUNED_DAMAGED
 */
export function readTunedDocument(path: string): TunedDocument {
  let text: string;
  try {
    text = readInputFile(path, largestFileBytes).toString('utf8');
  } catch (cause) {
    throw new ExperimentError(
      'EXPERIMENT_TUNED_UNREADABLE',
      `${path} ${whyUnread(cause)}, but must be a tune.json of fcaenet tune`,
      ExitCode.missingInput,
      { cause },
    );
  }
  const parsed = parseJson(text);
  const { success, data } = schema.safeParse(parsed);
  if (success && hasItsDigest(parsed as object)) return data;
  throw new ExperimentError(
    'EXPERIMENT_TUNED_DAMAGED',
    `${path} is damaged or was changed: it must be a tune.json as fcaenet tune has written it`,
    ExitCode.badData,
  );
}

/**
 * The settings that a search chose.
 * @throws ExperimentError EXPERIMENT_TUNED_UNFINISHED, and what `readTunedDocument` throws
 */
export function readTunedSettings(path: string): TunedSettings {
  const { method, bits, chosen } = readTunedDocument(path);
  if (chosen === null) {
    throw new ExperimentError(
      'EXPERIMENT_TUNED_UNFINISHED',
      `the search of ${path} has chosen nothing yet, but must have finished; run the same fcaenet tune again`,
    );
  }
  return { source: path, method, bits, settings: overridesOf(chosen.settings) };
}

/** Values as for `--set`. */
export function overridesOf(values: TunedValues): readonly string[] {
  return Object.entries(values).map(([path, each]) => `${path}=${JSON.stringify(each)}`);
}

/**
 * Checks that settings were chosen for this run.
 * @throws ExperimentError EXPERIMENT_TUNED_OTHER
 */
export function requireTunedFor({ source, method, bits }: TunedSettings, { spec }: TrainingRun): void {
  if (method === spec.method && bits === spec.bits) return;
  throw new ExperimentError(
    'EXPERIMENT_TUNED_OTHER',
    `${source} was tuned for ${method} at ${bits} bits, but the run has ${spec.method} at ${spec.bits} bits`,
  );
}
