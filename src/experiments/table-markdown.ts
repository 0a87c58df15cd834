import { printable } from '../errors.js';
import type { Equality, Plan } from './cell.js';
import type { Place, Summary } from './summary.js';

/** What stands above a table. */
export interface TableHeading {
  readonly title: string;
  /** Path of the run file, and the options that changed it. */
  readonly runFile: string;
  readonly overrides: readonly string[];
  /** Of fcaenet. */
  readonly version: string;
  /** The table of the paper with the same rows. */
  readonly paperTable: string;
}

const headings: Readonly<Record<Equality, string>> = {
  none: 'Each method’s own schedule',
  steps: 'Equal optimiser steps',
  images: 'Equal images',
};

/** The table for people: mean ± standard deviation of the mAP in per cent, as the paper has it, and what it cost. */
export function tableMarkdown(heading: TableHeading, plan: Plan, summary: Summary): string {
  return [
    `# ${heading.title}`,
    introduction(heading, plan, summary),
    ...plan.equalities.flatMap((equality) => section(plan, summary, equality)),
    ...failures(summary),
  ]
    .join('\n\n')
    .concat('\n');
}

function introduction(heading: TableHeading, plan: Plan, summary: Summary): string {
  const { dataset, finished, runs } = summary;
  const changed = heading.overrides.map((override) => ` --set ${override}`).join('');
  const seeds = plan.seeds.length === 1 ? `seed ${plan.seeds[0]}` : `seeds ${plan.seeds.join(', ')}`;
  const lines = [
    `Run file: \`${printable(heading.runFile + changed)}\`, ${seeds}, fcaenet ${heading.version}.`,
    `${finished} of ${runs} runs have a result.`,
  ];
  if (dataset) {
    const { classes, train, test, fingerprint } = dataset;
    lines.push(
      `Dataset: ${classes} classes, ${train} database images, ${test} queries, fingerprint \`${fingerprint.slice(0, 12)}\`.`,
      dataset.published === null
        ? `The paper’s figures (${heading.paperTable}) are left out: no dataset of the paper has these counts.`
        : `“paper” is the figure of ${heading.paperTable} for ${dataset.published}.`,
    );
  }
  lines.push(
    'mAP is in per cent: mean ± standard deviation over the seeds. The rule of comparison is docs/comparison.md.',
  );
  return lines.join('\n');
}

function section(plan: Plan, summary: Summary, equality: Equality): string[] {
  const places = summary.places.filter((place) => place.equality === equality);
  const at = (variant: string, bits: number) =>
    places.find((place) => place.variant === variant && place.bits === bits)!;
  const hasPaper = places.some(({ paper }) => paper !== null);
  const rows = (cell: (place: Place) => string) =>
    plan.variants.map(({ name, title }) => [title, ...plan.bits.map((bits) => cell(at(name, bits)))]);
  const lengths = plan.bits.map((bits) => `${bits} bits`);
  const [reference, ...others] = plan.variants;
  const blocks = [
    `## ${headings[equality]}`,
    pipeTable(
      ['mAP, %', ...lengths],
      rows((place) => figure(place, hasPaper)),
    ),
  ];
  if (others.length > 0) {
    const compared = rows(difference).slice(1);
    blocks.push(
      `${reference!.title} less each other, paired by seed, with the 95 % interval from three seeds on:`,
      pipeTable(['difference, % points', ...lengths], compared),
    );
  }
  blocks.push(
    'Images forward and backward, optimiser steps, and seconds of a run:',
    pipeTable(['cost', ...lengths], rows(cost)),
  );
  return blocks;
}

function figure(place: Place, hasPaper: boolean): string {
  const { mAP, paper, finished, seeds, isTuned } = place;
  const parts = [
    mAP === null ? '–' : percent(mAP.mean) + (mAP.deviation === null ? '' : ` ± ${percent(mAP.deviation)}`),
    ...(finished < seeds ? [`${finished} of ${seeds} seeds`] : []),
    ...(isTuned ? ['tuned'] : []),
    ...(hasPaper && paper !== null ? [`paper ${percent(paper)}`] : []),
  ];
  const [first, ...rest] = parts;
  return rest.length === 0 ? first! : `${first} (${rest.join(', ')})`;
}

function difference({ difference: found }: Place): string {
  if (found === null) return '–';
  const { mean, interval, pairs } = found;
  if (interval === null) return `${signed(mean)} (${pairs === 1 ? '1 pair' : `${pairs} pairs`})`;
  return `${signed(mean)} [${signed(interval[0])}, ${signed(interval[1])}]`;
}

function cost({ images, steps, seconds }: Place): string {
  if (images === null || steps === null || seconds === null) return '–';
  return [images, steps, seconds].map((value) => Math.round(value).toLocaleString('en-GB')).join(' / ');
}

function failures({ failures: failed }: Summary): string[] {
  if (failed.length === 0) return [];
  const lines = failed.map(({ run, sentence }) => `- ${run}: ${printable(sentence)}`);
  return ['## Failed runs', lines.join('\n')];
}

function percent(share: number): string {
  return (100 * share).toFixed(2);
}

function signed(share: number): string {
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
}

function pipeTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = titles.map((_, column) => (column === 0 ? '---' : '---:'));
  return [titles, rule, ...rows].map(line).join('\n');
}
