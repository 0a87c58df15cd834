import { encodeSafetensors } from '../checkpoint/safetensors.js';
import { readPictureList } from '../data/picture-list.js';
import { encodeStateDictionary, type FloatTensor } from '../formats/state-dictionary.js';
import { readTrainedRun, type TrainedRun } from '../inference/trained-run.js';
import { featureMethod } from '../methods/methods.js';
import { describePreprocessing } from '../model/preprocess.js';
import { weightsAsSent } from '../model/wire-weights.js';
import { RunDirectory } from '../run/run-directory.js';
import { widen } from '../transport/widen.js';
import { arrayFiles, codesOfRun, faissFiles } from './codes.js';
import { ExportError } from './error.js';
import type { ExportedFile } from './files.js';
import { type ExportFormat, exportContents } from './formats.js';
import { encodeOnnxNetwork } from './graph/onnx.js';
import { encodeTfjsNetwork } from './graph/tfjs.js';
import { modelCardFile } from './model-card.js';
import { type ExportedNetwork, stateDictionary } from './network.js';

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
    return networkFiles[format](networkOfRun(run, format));
  });
  // Two formats may have the same table.
  const unique = [...new Map(files.map((file) => [file.name, file])).values()];
  const pictures = readPictureList(RunDirectory.at(runDirectory));
  return { run, files: [...unique, modelCardFile(run, pictures)] };
}

/** The network with the weights that the run's evaluation uses. */
function networkOfRun(run: TrainedRun, format: ExportFormat): ExportedNetwork {
  const { spec, layout, weights } = run;
  if (featureMethod(spec.method)) {
    throw new ExportError(
      'EXPORT_METHOD',
      `${run.directory} has the method ${spec.method}, which makes codes from features with a hash function of its own, so its network alone makes none; --format ${format} needs a method that trains the network, and faiss and npy export the codes`,
    );
  }
  const sent = weightsAsSent(weights, spec.wire.precision);
  const parameters = new Float32Array(layout.parameterCount);
  if (sent.parameters instanceof Uint16Array) widen(sent.parameters, parameters);
  else parameters.set(sent.parameters);
  return {
    layout,
    weights: { parameters, mean: sent.mean, variance: sent.variance },
    metadata: {
      run: run.name,
      checkpoint: run.checkpoint,
      backbone: spec.model.backbone,
      width: String(spec.model.width),
      bits: String(spec.bits),
      imageSize: String(spec.model.imageSize),
      preprocessing: describePreprocessing(layout.trunk.preprocessing),
    },
  };
}
