import { join } from 'node:path';
import type { Method } from '../methods/methods.js';
import type { RunFile } from '../run/read.js';
import { trainingHash } from '../run/training-hash.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import type { Cell, Equality, Group, Plan, Variant } from './cell.js';
import { type EqualWork, equalEpochs, equalWork } from './equal-work.js';
import { ExperimentError } from './error.js';

/** Settings that a search chose, for the runs of its method and code length. */
export interface TunedSettings {
  /** Names them in messages. */
  readonly source: string;
  readonly method: Method;
  readonly bits: number;
  /** As for `--set`. */
  readonly settings: readonly string[];
}

export interface GridOptions {
  readonly variants: readonly Variant[];
  readonly bits: readonly number[];
  /** How many; the first is the run file's. */
  readonly seedCount: number;
  /** Null takes equal steps and images, and none before them if a method has a schedule of its own. */
  readonly equalities: readonly Equality[] | null;
  /** Folder of the experiment; its runs are in `runs` in it. */
  readonly output: string;
  readonly tuned: readonly TunedSettings[];
  /** `--set` options. They count more than tuned settings, and less than those of a row. */
  readonly overrides: readonly string[];
  /** The run file with `settings` on top of it. */
  readonly resolve: RunFile;
}

/**
 * Plans every run of an experiment: each variant at each code length, for each equality and seed. Runs come in the
 * order of seeds first, so that an experiment that is stopped has whole tables of fewer seeds. A run that serves two
 * equalities is there once.
 * @throws ExperimentError EXPERIMENT_TUNED_UNUSED, and RunFileError for settings that do not fit one another
 */
export function planGrid(options: GridOptions): Plan {
  const { variants, bits, seedCount, tuned } = options;
  requireFree(options);
  const planner = new CellPlanner(options);
  const equalities = options.equalities ?? planner.usualEqualities();
  const first = planner.specOf(variants[0]!, bits[0]!).seed;
  if (!Number.isSafeInteger(first + (seedCount - 1))) {
    throw new ExperimentError(
      'EXPERIMENT_SEEDS',
      `--seeds ${seedCount} goes on from spec.seed ${first}, but the last seed must be at most ${Number.MAX_SAFE_INTEGER}`,
    );
  }
  const seeds = Array.from({ length: seedCount }, (_, index) => first + index);
  const groups: Group[] = equalities.flatMap((equality) =>
    bits.flatMap((length) =>
      variants.map((variant) => ({
        variant: variant.name,
        bits: length,
        equality,
        cells: seeds.map((seed) => planner.cell(variant, length, equality, seed)),
        isOwnSchedule: planner.isOwnSchedule(variant, length, equality),
      })),
    ),
  );
  const unused = tuned.find((each) => !planner.used.has(each));
  if (unused) {
    throw new ExperimentError(
      'EXPERIMENT_TUNED_UNUSED',
      `${unused.source} was tuned for ${unused.method} at ${unused.bits} bits, but no run of the table has that method and code length`,
    );
  }
  const ordered = seeds.flatMap((_, index) => groups.map(({ cells }) => cells[index]!));
  return { variants, bits, seeds, equalities, groups, cells: [...new Set(ordered)] };
}

/** A `--set` of something that the experiment sets itself would have no effect. */
function requireFree({ overrides, variants }: GridOptions): void {
  const ofRows = variants.flatMap(({ settings }) => settings.map(pathOf));
  const own = ['metadata.name', 'spec.bits', 'spec.operation.runsDirectory', ...ofRows];
  const fixed = overrides.map(pathOf).find((path) => own.includes(path));
  if (fixed === undefined) return;
  throw new ExperimentError(
    'EXPERIMENT_SETTING_FIXED',
    `--set ${fixed} has no effect here, because the command sets it for each run; its other options choose what it sets`,
  );
}

function pathOf(override: string): string {
  return override.split('=', 1)[0]!.trim();
}

class CellPlanner {
  /** Tuned settings that a cell has. */
  readonly used = new Set<TunedSettings>();
  /** By code length. */
  private readonly work = new Map<number, EqualWork>();
  /** By name and training hash, so that equal runs are one. */
  private readonly cells = new Map<string, Cell>();

  constructor(private readonly options: GridOptions) {}

  /** The settings of a variant at a code length; all others are the run file's. */
  specOf({ settings }: Variant, bits: number): TrainingRunSpec {
    const { overrides, resolve } = this.options;
    return resolve([...overrides, ...settings, `spec.bits=${bits}`]).spec;
  }

  isOwnSchedule(variant: Variant, bits: number, equality: Equality): boolean {
    const spec = this.specOf(variant, bits);
    return equalEpochs(spec, equality, this.workAt(bits)) === spec.schedule.epochs;
  }

  usualEqualities(): readonly Equality[] {
    const { variants, bits } = this.options;
    const isEqual = bits.every((length) =>
      variants.every((variant) => this.isOwnSchedule(variant, length, 'steps')),
    );
    return isEqual ? ['steps', 'images'] : ['none', 'steps', 'images'];
  }

  cell(variant: Variant, bits: number, equality: Equality, seed: number): Cell {
    const { resolve, output, tuned, overrides } = this.options;
    const name = `${variant.name}-${bits}bit-seed${seed}`;
    const place = [`spec.bits=${bits}`, `spec.seed=${seed}`];
    const { spec } = resolve([...overrides, ...variant.settings, ...place]);
    const chosen = tuned.filter((each) => each.method === spec.method && each.bits === bits);
    for (const each of chosen) this.used.add(each);
    const settings = [
      ...chosen.flatMap((each) => each.settings),
      ...overrides,
      ...variant.settings,
      ...place,
      `spec.operation.runsDirectory=${join(output, 'runs')}`,
    ];
    const own = resolve([...settings, `metadata.name=${name}`]);
    const epochs = equalEpochs(own.spec, equality, this.workAt(bits));
    const run =
      epochs === own.spec.schedule.epochs
        ? own
        : resolve([...settings, `spec.schedule.epochs=${epochs}`, `metadata.name=${name}-${equality}`]);
    const key = `${run.metadata.name} ${trainingHash(run)}`;
    const known = this.cells.get(key);
    if (known) return known;
    const cell = { name: run.metadata.name, run, isTuned: chosen.length > 0 };
    this.cells.set(key, cell);
    return cell;
  }

  private workAt(bits: number): EqualWork {
    const { variants } = this.options;
    const work = this.work.get(bits) ?? equalWork(variants.map((variant) => this.specOf(variant, bits)));
    this.work.set(bits, work);
    return work;
  }
}
