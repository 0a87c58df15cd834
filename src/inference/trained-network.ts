import type { Engine } from '../engine/engine.js';
import { loadEngine } from '../engine/loader.js';
import { packCodes, signCodes } from '../hashing/codes.js';
import { type Identity, identityDifferences } from '../identity/identity.js';
import type { FeatureHashing } from '../methods/method.js';
import { featureMethod } from '../methods/methods.js';
import { encodeImagesAnywhere } from '../model/any-engine.js';
import type { EncodedImages } from '../model/encode.js';
import type { FeatureMaps } from '../model/fcaenet.js';
import { featureMapsOf } from '../model/feature-maps.js';
import { Network } from '../model/network.js';
import { weightsAsSent } from '../model/wire-weights.js';
import type { EngineName } from '../run/training-run.js';
import { encodeBatchSize } from '../schedule/encode-batches.js';
import { type Picture, pixelsOf } from './picture-pixels.js';
import type { TrainedRun } from './trained-run.js';

/**
 * The trained network of a run on an engine of this process. On the engine that trained it, codes have the bits of the
 * run's own evaluation.
 */
export class TrainedNetwork {
  private constructor(
    readonly run: TrainedRun,
    readonly engine: Engine,
    private readonly network: Network,
    /** Makes codes of features; null where the network makes codes. */
    private readonly hashing: FeatureHashing | null,
  ) {}

  /**
   * Starts the engine and gives the network its weights. TF.js has one engine in a process.
   * @param engineName other than the run's; undefined takes the run's
   * @throws EngineError
   */
  static async load(run: TrainedRun, engineName?: 'auto' | EngineName): Promise<TrainedNetwork> {
    const { spec, layout, weights } = run;
    const { name, threadsPerMicrobatch } = spec.engine;
    const engine = await loadEngine(engineName ?? name, { threads: threadsPerMicrobatch });
    const hashing = (await featureMethod(spec.method)?.load()) ?? null;
    const network = new Network(layout);
    network.setWeights(weightsAsSent(weights, spec.wire.precision));
    return new TrainedNetwork(run, engine, network, hashing);
  }

  /** The engine's name, version, instruction set and threads: what bits depend on besides the network. */
  get engineName(): string {
    const { name, version, instructionSet, threads } = this.engine.description;
    return `${name} ${version}, ${instructionSet}, threads: ${threads}`;
  }

  /**
   * How this engine differs from the one that trained the network, as clauses: a bit whose output is next to zero may
   * then differ from the run's own. Empty when it does not.
   */
  get differences(): string[] {
    const { identity } = this.run;
    if (identity === null) return [];
    const { name, version, instructionSet, buildHash, threads, gpu } = this.engine.description;
    const { deviceModel: _, computeCapability: _c, driverVersion: _d, ...ofRun } = identity;
    const own: Identity = {
      ...ofRun,
      engine: name,
      engineVersion: version,
      instructionSet,
      // A graph's hash is that of a microbatch of training, which is not computed here.
      buildHash: buildHash || identity.buildHash,
      threadsPerMicrobatch: threads,
      ...(gpu && {
        deviceModel: gpu.model,
        computeCapability: gpu.computeCapability,
        driverVersion: gpu.driverVersion,
      }),
    };
    return identityDifferences(identity, own);
  }

  /**
   * Decodes pictures to what the network sees of a query.
   * @returns uint8 `[pictures, imageSize, imageSize, 3]`
   * @throws DatasetError DATASET_IMAGE_DAMAGED
   */
  pixelsOf(pictures: readonly Picture[]): Promise<Uint8Array<ArrayBuffer>> {
    return pixelsOf(this.run.spec, pictures);
  }

  /**
   * Runs pixels through the network, in the batches of the run's evaluation.
   * @param pixels uint8 `[count, imageSize, imageSize, 3]`
   */
  async outputs(pixels: Uint8Array, count: number): Promise<Pick<EncodedImages, 'u' | 'features'>> {
    const { bits, featureWidth } = this.run.layout;
    const u = new Float32Array(count * bits);
    const features = new Float32Array(count * featureWidth);
    const size = pixels.length / count;
    for (let start = 0; start < count; start += encodeBatchSize) {
      const end = Math.min(count, start + encodeBatchSize);
      const batch = pixels.subarray(start * size, end * size);
      const encoded = await encodeImagesAnywhere(this.network, batch, end - start);
      u.set(encoded.u, start * bits);
      features.set(encoded.features, start * featureWidth);
    }
    return { u, features };
  }

  /**
   * The last feature maps of pixels, from which attention is computed (equation 3).
   * @param pixels uint8 `[count, imageSize, imageSize, 3]`, few enough for one batch
   */
  featureMaps(pixels: Uint8Array, count: number): Promise<FeatureMaps> {
    return featureMapsOf(this.network, pixels, count);
  }

  /** Codes of pixels, packed `[count, wordsPerCode(bits)]`; see {@link outputs}. */
  async codesOfPixels(pixels: Uint8Array, count: number): Promise<Uint32Array<ArrayBuffer>> {
    const { u, features } = await this.outputs(pixels, count);
    const { bits } = this.run.layout;
    const codes = this.hashing ? this.hashing.hash(this.run.hash!, features) : signCodes(u);
    return packCodes(codes, bits) as Uint32Array<ArrayBuffer>;
  }

  /**
   * Codes of pictures, packed `[pictures, wordsPerCode(bits)]`.
   * @throws DatasetError DATASET_IMAGE_DAMAGED
   */
  async codesOfPictures(pictures: readonly Picture[]): Promise<Uint32Array<ArrayBuffer>> {
    return this.codesOfPixels(await this.pixelsOf(pictures), pictures.length);
  }

  dispose(): void {
    this.network.dispose();
  }
}
