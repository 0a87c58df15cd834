import type { ShownPictures } from '../pictures/shown-pictures.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { classesSection } from './classes.js';
import { codesSection } from './codes.js';
import { htmlDocument } from './document.js';
import { flowSection } from './flow.js';
import { learningSection } from './learning.js';
import { attentionSection, gallerySection } from './pictures.js';
import { rankingSection } from './ranking.js';
import { settingsSection, summarySection } from './summary.js';

/** The report of some runs as one HTML file. The same runs and pictures give the same bytes. */
export function reportPage(runs: readonly MeasuredRun[], pictures: ShownPictures): string {
  const names = runs.map(({ name }) => name).join(', ');
  return htmlDocument(
    `Report of ${names}`,
    runs.length === 1
      ? 'What this run trained, how well its codes find images of one class, where they fail, and what happened to it.'
      : 'These runs side by side: how well their codes find images of one class, where they fail, and what happened to them.',
    [
      summarySection(runs),
      learningSection(runs),
      gallerySection(pictures),
      attentionSection(runs, pictures),
      rankingSection(runs),
      classesSection(runs),
      codesSection(runs),
      flowSection(runs),
      settingsSection(runs),
    ],
  );
}
