import type { Command } from 'commander';
import type { ExportOptions } from '../export/command.js';
import { type AblateOptions, registerAblate } from './ablate.js';
import { type AuditOptions, registerAudit } from './audit.js';
import { type MakeCertificatesOptions, registerCerts } from './certs.js';
import { type ControlOptions, registerControl } from './control.js';
import { type CoordinatorOptions, registerCoordinator } from './coordinator.js';
import { type DatasetActions, registerDataset } from './dataset.js';
import { type DoctorActions, registerDoctor } from './doctor.js';
import { type EncodeOptions, registerEncode } from './encode.js';
import { type EstimateOptions, registerEstimate } from './estimate.js';
import { type EvaluateOptions, registerEvaluate } from './evaluate.js';
import { registerExport } from './export.js';
import { type ReportOptions, registerReport } from './report.js';
import { type RunsActions, registerRuns } from './runs.js';
import { registerSearch, type SearchOptions } from './search.js';
import { registerServe, type ServeOptions } from './serve.js';
import { registerStart, type StartOptions } from './start.js';
import type { UiOptions } from '../inspection/ui/show-ui.js';
import { registerTable, type TableOptions } from './table.js';
import { registerTrain, type TrainOptions } from './train.js';
import { registerTune, type TuneOptions } from './tune.js';
import { registerUi } from './ui.js';
import { registerWatch, type WatchOptions } from './watch.js';
import { registerWeights, type WeightsActions } from './weights.js';
import { registerWorker, type WorkerActions } from './worker.js';

/** The actions of the commands, independent of their command line. */
export interface CommandActions {
  train(options: TrainOptions): Promise<void>;
  coordinate(options: CoordinatorOptions): Promise<void>;
  readonly worker: WorkerActions;
  evaluate(options: EvaluateOptions): Promise<void>;
  encode(options: EncodeOptions): Promise<void>;
  search(options: SearchOptions): Promise<void>;
  serve(options: ServeOptions): Promise<void>;
  estimate(options: EstimateOptions): Promise<void>;
  table(options: TableOptions): Promise<void>;
  ablate(options: AblateOptions): Promise<void>;
  tune(options: TuneOptions): Promise<void>;
  audit(options: AuditOptions): Promise<void>;
  export(options: ExportOptions): Promise<void>;
  report(options: ReportOptions): Promise<void>;
  readonly runs: RunsActions;
  readonly dataset: DatasetActions;
  showUi(options: UiOptions): Promise<void>;
  start(options: StartOptions): Promise<void>;
  watch(options: WatchOptions): Promise<void>;
  control(options: ControlOptions): Promise<void>;
  makeCerts(options: MakeCertificatesOptions): Promise<void>;
  readonly weights: WeightsActions;
  readonly doctor: DoctorActions;
}

export function registerCommands(program: Command, actions: CommandActions): void {
  registerTrain(program, actions.train);
  registerCoordinator(program, actions.coordinate);
  registerWorker(program, actions.worker);
  registerEvaluate(program, actions.evaluate);
  registerEncode(program, actions.encode);
  registerSearch(program, actions.search);
  registerServe(program, actions.serve);
  registerEstimate(program, actions.estimate);
  registerTable(program, actions.table);
  registerAblate(program, actions.ablate);
  registerTune(program, actions.tune);
  registerAudit(program, actions.audit);
  registerExport(program, actions.export);
  registerReport(program, actions.report);
  registerRuns(program, actions.runs);
  registerUi(program, actions.showUi);
  registerDataset(program, actions.dataset);
  registerStart(program, actions.start);
  registerWatch(program, actions.watch);
  registerControl(program, actions.control);
  registerCerts(program, actions.makeCerts);
  registerWeights(program, actions.weights);
  registerDoctor(program, actions.doctor);
}
