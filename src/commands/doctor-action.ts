import { type ExecFileException, execFile } from 'node:child_process';
import { print } from '../console/output.js';
import { formatTable } from '../console/table.js';
import { EngineError } from '../engine/error.js';
import { machineEngines } from '../engine/installed.js';
import { cudaEnvironment, type GpuDevice } from '../machine/devices/device.js';
import { inheriting } from '../machine/devices/inherited.js';
import { parseTrainingRun } from '../run/read.js';
import { type EngineName, engineNames, type TrainingRunSpec } from '../run/training-run.js';
import { measuredWork, measureSpeed, type WorkerSpeed } from '../worker/measure-speed.js';
import type { DoctorOptions } from './doctor.js';
import { devicesReport, examineDevices, shownShare } from './doctor-devices.js';
import { missingFiles } from './doctor-files.js';

/** Loading, warm-up and twice three seconds, on a busy machine. */
const patienceMs = 180_000;

/** The result for one engine. */
export type Finding =
  | ({ readonly engine: EngineName; readonly runs: true } & WorkerSpeed)
  | { readonly engine: EngineName; readonly runs: false; readonly reason: string };

/**
 * `fcaenet doctor`. Measures each engine in its own process, one after another, and lists the GPUs.
 * With a run file, names its files that are missing.
 * @throws EngineError `ENGINE_UNAVAILABLE`, after the table, when the run's engine cannot run, or without a run file
 * when no engine can
 */
export async function examineEngines({ run, runArguments, json, engine }: DoctorOptions): Promise<void> {
  const spec = run?.spec ?? quickSpec();
  if (engine !== undefined) {
    const speed = await measureSpeed({ ...spec, engine: { ...spec.engine, name: engine } });
    await print(`${JSON.stringify(speed)}\n`);
    return;
  }
  const findings: Finding[] = [];
  for (const name of engineNames) findings.push(await examine(name, runArguments));
  const wanted = run?.spec.engine.name ?? 'auto';
  // GPUs are listed for every engine.
  const devices = await examineDevices(wanted, await machineEngines('auto'), (device) =>
    speedOn(device, runArguments),
  );
  const missing = run ? await missingFiles(run.spec) : [];
  const sentences = missing.map((sentence) => `\n${sentence}.\n`).join('');
  await print(
    json
      ? `${JSON.stringify({ measured: measuredWork(spec), engines: findings, devices, missing }, null, 2)}\n`
      : `${report(findings)}\n${devicesReport(devices)}${sentences}`,
  );
  requireEngine(wanted, findings);
}

/** @throws EngineError when `wanted` cannot run, or for `auto`, which never selects `webgpu`, when no engine can */
export function requireEngine(wanted: 'auto' | EngineName, findings: readonly Finding[]): void {
  const candidates = findings.filter(({ engine }) =>
    wanted === 'auto' ? engine !== 'webgpu' : engine === wanted,
  );
  if (candidates.some(({ runs }) => runs)) return;
  const reasons = candidates.map((finding) => (finding.runs ? '' : finding.reason)).join('; ');
  const byName = findings.some(({ engine, runs }) => engine === 'webgpu' && runs)
    ? 'engine auto finds none to run here, but webgpu runs if --set spec.engine.name=webgpu names it'
    : 'no engine can run here';
  throw new EngineError('ENGINE_UNAVAILABLE', wanted === 'auto' ? `${byName}: ${reasons}` : reasons);
}

/**
 * The table, in images per second, then the share of time outside the graphs, and why engines do not run and how to fix
 * it.
 */
export function report(findings: readonly Finding[]): string {
  const columns = ['engine', 'trained/s', 'encoded/s', 'version', 'instructions', 'device'].map((title) => ({
    title,
    isNumber: title.endsWith('/s'),
  }));
  const rows = findings.map((finding) => {
    if (!finding.runs) return [finding.engine, '-', '-', 'cannot run', '-', '-'];
    const { version, instructionSet, device } = finding.description;
    const rates = [finding.trainedImagesPerSecond, finding.encodedImagesPerSecond].map((rate) =>
      rate.toFixed(1),
    );
    return [finding.engine, ...rates, version, instructionSet, device];
  });
  const remarks = findings.flatMap((finding) => {
    if (!finding.runs) return [`${finding.reason}.\n`];
    const { engine, outsideGraphs } = finding;
    return outsideGraphs === null
      ? []
      : [
          `Engine ${engine} spends ${shownShare(outsideGraphs)} of the time of training outside its graphs.\n`,
        ];
  });
  return [formatTable(columns, rows), ...(remarks.length > 0 ? ['\n', ...remarks] : [])].join('');
}

/** Speed of the engine `tensorflow` on one GPU, in a process that sees no other. */
async function speedOn(device: GpuDevice, runArguments: readonly string[]): Promise<Finding> {
  const environment = { ...cudaEnvironment(device), ...inheriting({ devices: [device], note: null }) };
  return examine('tensorflow', runArguments, environment);
}

/** Measures one engine in its own process. */
function examine(
  engine: EngineName,
  runArguments: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Finding> {
  const args = [...process.execArgv, process.argv[1]!, 'doctor', ...runArguments, '--engine', engine];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { timeout: patienceMs, killSignal: 'SIGKILL', env: { ...process.env, ...environment } },
      (error, stdout, stderr) => {
        if (!error) {
          resolve({ engine, runs: true, ...(JSON.parse(stdout) as WorkerSpeed) });
          return;
        }
        const sentence = /^fcaenet: (.*?)\.?$/m.exec(stderr)?.[1];
        resolve({ engine, runs: false, reason: sentence ?? withoutSentence(engine, error) });
      },
    );
  });
}

/** Why an engine was not measured whose process said nothing. */
export function withoutSentence(
  engine: EngineName,
  { killed, signal, code }: Pick<ExecFileException, 'killed' | 'signal' | 'code'>,
): string {
  // Only `examine` itself kills the process, and then other programs may have had the processors.
  if (killed) {
    const orNew =
      engine === 'tensorflow' ? ', or a GPU newer than the kernels, which its driver compiles once' : '';
    return `Engine ${engine} was not measured because its process was not ready after ${patienceMs / 1000} s; processors that are busy may be the cause${orNew}: try again later`;
  }
  const ended = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  return `Engine ${engine} cannot run because its process ${ended}`;
}

/** The network for measurements without a run file: that of the preset `quick`. */
function quickSpec(): TrainingRunSpec {
  const text =
    'apiVersion: fcaenet.dev/v1\nkind: TrainingRun\nmetadata: { name: doctor }\nspec: { preset: quick, dataset: { path: "." } }\n';
  return parseTrainingRun(text, 'the preset quick').spec;
}
