import { sha256OfPieces } from '../checkpoint/pieces-sha256.js';
import { encodeSafetensors } from '../checkpoint/safetensors.js';
import { withConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { readPictureList } from '../data/picture-list.js';
import { ExitCode } from '../errors.js';
import { readTrainedRun, type TrainedRun } from '../inference/trained-run.js';
import { describePreprocessing } from '../model/preprocess.js';
import { manifestName, type PublishedManifest } from '../model/weights/published-folder.js';
import { RunDirectory } from '../run/run-directory.js';
import { ExportError } from './error.js';
import type { ExportedFile } from './files.js';
import { stateDictionary } from './network.js';
import { networkOfRun } from './network-of-run.js';
import { publishedCard } from './published-card.js';
import { missingFiles, writeFiles } from './write.js';

export interface PublishOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
  /** The folder for the files. */
  readonly output: string;
  /** `last`, `best` or a checkpoint's name */
  readonly checkpoint: string;
  /** Identifier of the licence; `unknown` where nobody stated one. */
  readonly license: string;
  /** Replaces files that exist. */
  readonly overwrite: boolean;
}

/** Hugging Face's name of the only weight file of a model. */
const weightsFile = 'model.safetensors';

/**
 * `fcaenet weights publish`: the network of a run as a folder that others can use, with a model card.
 * @throws ExportError `EXPORT_METHOD`, `EXPORT_INTERRUPTED`, and the errors of reading the run and of `writeFiles`
 */
export async function publishWeights(options: PublishOptions): Promise<void> {
  const { runDirectory, output, checkpoint, license, overwrite } = options;
  const leave = new AbortController();
  const restoreSignals = onInterrupt(() =>
    leave.abort(
      new ExportError('EXPORT_INTERRUPTED', `publishing to ${output} was interrupted; run it again`, {
        exitCode: ExitCode.interrupted,
      }),
    ),
  );
  try {
    await withConsole('result', async ({ log }) => {
      const run = await readTrainedRun(runDirectory, checkpoint);
      for (const { name, reason } of run.rejected) log.warn('checkpoint cannot be used', { name, reason });
      const { files, manifest } = publishedFiles(run, license);
      await writeFiles(output, overwrite ? files : await missingFiles(output, files), leave.signal);
      log.info('weights published', {
        run: run.name,
        checkpoint: run.checkpoint,
        step: run.step,
        folder: output,
        files: files.map(({ name }) => name),
        sha256: manifest.file.sha256,
        license,
        ...(license === 'unknown' && {
          remedy: 'the same command with --license IDENTIFIER --overwrite states the licence',
        }),
      });
    });
  } finally {
    restoreSignals();
  }
}

/** The files of a folder of published weights; the manifest is the last, so that it names only files that are there. */
function publishedFiles(
  run: TrainedRun,
  license: string,
): { files: ExportedFile[]; manifest: PublishedManifest } {
  const network = networkOfRun(run, 'publish a run of a method that trains the network');
  const pieces = encodeSafetensors(stateDictionary(network), { ...network.metadata, format: 'pt' });
  const { backbone, width, imageSize } = run.spec.model;
  const manifest: PublishedManifest = {
    format: 'fcaenet-weights',
    formatVersion: 1,
    name: run.name,
    backbone,
    width,
    bits: run.spec.bits,
    imageSize,
    preprocessing: describePreprocessing(run.layout.trunk.preprocessing),
    license,
    file: {
      name: weightsFile,
      bytes: pieces.reduce((sum, { length }) => sum + length, 0),
      sha256: sha256OfPieces(pieces),
    },
  };
  const card = publishedCard(run, readPictureList(RunDirectory.at(run.directory)), weightsFile, license);
  return {
    manifest,
    files: [
      { name: weightsFile, pieces },
      { name: 'README.md', pieces: [Buffer.from(card)] },
      { name: manifestName, pieces: [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)] },
    ],
  };
}
