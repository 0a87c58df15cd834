import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../error.js';
import type { Graph } from './graph.js';
import type { GraphBinding, GraphRuntime } from './runtime.js';
import { savedModelBytes, savedModelTag } from './saved-model.js';

/** Values for one placeholder. TensorFlow may look at them until the run is over. */
export interface Feed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Uint8Array;
}

/** What a node gives: of boolean nodes bytes. */
export type OutputValues = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** Where an output's values go. */
export interface Place {
  readonly target: Float32Array;
  /** Elements of `target` before them. */
  readonly offset: number;
}

/** Since the process began. */
let runSeconds = 0;

/** Seconds by the clock that calls into TensorFlow have taken in this process. */
export function secondsInGraphs(): number {
  return runSeconds;
}

/** Containers whose root cannot be written have memory files nevertheless. */
const memoryFiles = '/dev/shm';

/** A folder for the file that TensorFlow's loader reads. */
function temporaryFolder(): string {
  const name = 'fcaenet-graph-';
  try {
    return mkdtempSync(join(memoryFiles, name));
  } catch {
    return mkdtempSync(join(tmpdir(), name));
  }
}

/** A graph in TensorFlow's hands, with variables of its own. */
export class GraphSession {
  private constructor(
    private readonly binding: GraphBinding,
    private readonly id: number,
    /** SHA-256 (hex) of the graph as TensorFlow got it. */
    readonly sha256: string,
  ) {}

  /** @throws EngineError `ENGINE_GRAPH` where TensorFlow does not take the graph */
  static load({ binding, packageName }: GraphRuntime, graph: Graph): GraphSession {
    const bytes = savedModelBytes(graph, packageName);
    let folder: string | undefined;
    try {
      folder = temporaryFolder();
      writeFileSync(join(folder, 'saved_model.pb'), bytes);
      const id = binding.loadSavedModel(folder, savedModelTag);
      return new GraphSession(binding, id, createHash('sha256').update(bytes).digest('hex'));
    } catch (cause) {
      throw refused('TensorFlow does not take the graph', cause);
    } finally {
      if (folder) rmSync(folder, { recursive: true, force: true });
    }
  }

  /**
   * One call into TensorFlow.
   * @returns what the nodes named in `outputs` give
   * @throws EngineError `ENGINE_GRAPH` where TensorFlow cannot run it, for example for lack of memory
   */
  run(feeds: readonly Feed[], outputs: readonly string[]): OutputValues[] {
    return this.runEach(feeds, outputs, (id) => this.binding.tensorDataSync(id));
  }

  /**
   * One call into TensorFlow that is fed nothing. Its outputs, all float32, are copied to their places in arrays that
   * exist already.
   * @throws as `run`
   */
  readInto(outputs: readonly string[], places: readonly Place[]): void {
    const { binding } = this;
    this.runEach([], outputs, (id, index) => {
      const { target, offset } = places[index]!;
      if (binding.readTensorInto) binding.readTensorInto(id, target, offset);
      else target.set(binding.tensorDataSync(id), offset);
    });
  }

  /** Reads the outputs one after another: memory of one that is released serves the next one. */
  private runEach<Result>(
    feeds: readonly Feed[],
    outputs: readonly string[],
    readTensor: (id: number, index: number) => Result,
  ): Result[] {
    const { binding } = this;
    const inputs = feeds.map(({ shape, values }) =>
      binding.createTensor(
        shape,
        values instanceof Float32Array ? binding.TF_FLOAT : binding.TF_UINT8,
        values,
      ),
    );
    const started = performance.now();
    try {
      const tensors = binding.runSavedModel(
        this.id,
        inputs,
        feeds.map(({ name }) => `${name}:0`).join(','),
        outputs.map((name) => `${name}:0`).join(','),
      );
      runSeconds += (performance.now() - started) / 1000;
      return tensors.map(({ id }, index) => {
        const result = readTensor(id, index);
        binding.deleteTensor(id);
        return result;
      });
    } catch (cause) {
      throw refused('TensorFlow cannot run the graph', cause);
    } finally {
      for (const id of inputs) binding.deleteTensor(id);
    }
  }

  dispose(): void {
    this.binding.deleteSavedModel(this.id);
  }
}

function refused(what: string, cause: unknown): EngineError {
  const reason = String(cause instanceof Error ? cause.message : cause)
    .split('\n')[0]!
    .trim();
  return new EngineError('ENGINE_GRAPH', `${what}: ${reason}`, { cause });
}
