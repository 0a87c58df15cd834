import { encodeSafetensors } from '../checkpoint/safetensors.js';
import { readPictureList } from '../data/picture-list.js';
import { encodeStateDictionary, type FloatTensor } from '../formats/state-dictionary.js';
import { readTrainedRun, type TrainedRun } from '../inference/trained-run.js';
import { RunDirectory } from '../run/run-directory.js';
import { arrayFiles, codesOfRun, faissFiles } from './codes.js';
import type { ExportedFile } from './files.js';
import { type ExportFormat, exportContents } from './formats.js';
import { encodeOnnxNetwork } from './graph/onnx.js';
import { encodeTfjsNetwork } from './graph/tfjs.js';
import { modelCardFile } from './model-card.js';
import { type ExportedNetwork, stateDictionary } from './network.js';
import { networkOfRun } from './network-of-run.js';

const networkFiles: Readonly<
  Record<Exclude<ExportFormat, 'faiss' | 'npy'>, (network: ExportedNetwork) => ExportedFile[]>
> = {
  safetensors: (network) => [
    {
      name: 'network.safetensors',
      pieces: encodeSafetensors(stateDictionary(network), { ...network.metadata }),
    },
  ],
  torch: (network) => [
    {
      name: 'network.pt',
      pieces: encodeStateDictionary(stateDictionary(network) as Readonly<Record<string, FloatTensor>>),
    },
  ],
  onnx: (network) => [{ name: 'network.onnx', pieces: [encodeOnnxNetwork(network)] }],
  tfjs: (network) =>
    encodeTfjsNetwork(network).map(({ name, bytes }) => ({ name: `tfjs/${name}`, pieces: [bytes] })),
};

/**
 * The files of an export: those of each format, and `MODEL_CARD.md`.
 * @throws ExportError `EXPORT_METHOD`, and the errors of reading the run
 */
export async function exportedFiles(
  runDirectory: string,
  formats: readonly ExportFormat[],
  checkpoint: string,
): Promise<{ run: TrainedRun; files: ExportedFile[] }> {
  const run = await readTrainedRun(runDirectory, checkpoint);
  const codes = formats.some((format) => exportContents[format] === 'codes') ? codesOfRun(run) : null;
  const files = formats.flatMap((format) => {
    if (format === 'faiss') return faissFiles(codes!);
    if (format === 'npy') return arrayFiles(codes!);
    const remedy = `--format ${format} needs a method that trains the network, and faiss and npy export the codes`;
    return networkFiles[format](networkOfRun(run, remedy));
  });
  // Two formats may have the same table.
  const unique = [...new Map(files.map((file) => [file.name, file])).values()];
  const pictures = readPictureList(RunDirectory.at(runDirectory));
  return { run, files: [...unique, modelCardFile(run, pictures)] };
}
