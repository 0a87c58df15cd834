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
   * @throws as `runEach`
   */
  run(feeds: readonly Feed[], outputs: readonly string[]): OutputValues[] {
    const values: OutputValues[] = [];
    this.runEach(feeds, outputs, (each) => values.push(each));
    return values;
  }

  /**
   * One call into TensorFlow, whose outputs are read one after another: memory of those that `take` does not keep serves
   * the next ones, where a gradient in one piece would ask the system for as much again.
   * @param take is given what the nodes named in `outputs` give, in that order
   * @throws EngineError `ENGINE_GRAPH` where TensorFlow cannot run it, for example for lack of memory
   */
  runEach(
    feeds: readonly Feed[],
    outputs: readonly string[],
    take: (values: OutputValues, index: number) => void,
  ): void {
    const { binding } = this;
    const inputs = feeds.map(({ shape, values }) =>
      binding.createTensor(
        shape,
        values instanceof Float32Array ? binding.TF_FLOAT : binding.TF_UINT8,
        values,
      ),
    );
    try {
      const results = binding.runSavedModel(
        this.id,
        inputs,
        feeds.map(({ name }) => `${name}:0`).join(','),
        outputs.map((name) => `${name}:0`).join(','),
      );
      results.forEach(({ id }, index) => {
        const values = binding.tensorDataSync(id);
        binding.deleteTensor(id);
        take(values, index);
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
