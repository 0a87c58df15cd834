#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=536870912 node --no-memory-reducer
// The first line makes the C library keep freed memory instead of returning it. Otherwise messages of a megabyte each,
// a hundred for a ResNet-50's gradient, would use new pages every time, which costs more than the copy. V8's argument is
// that of src/machine/garbage-collection.ts. Imports are loaded before any code runs, so there are almost none: process 1
// of a container loses a signal that arrives during loading. The rest is loaded afterwards, and a command's own code when
// it runs: help and wrong flags answer immediately, and only workers load an engine.
import { fileURLToPath } from 'node:url';
import { runMain } from './console/run-main.js';
import { requireAddressSpace, startingAddressSpace } from './machine/address-space.js';
import { fitHeap } from './machine/heap.js';
import { requireOpenFiles, startingFiles } from './machine/open-files.js';
import { requireWorkingFolder } from './machine/working-folder.js';

fitHeap(fileURLToPath(import.meta.url));
runMain(async () => {
  requireWorkingFolder();
  requireOpenFiles(startingFiles, 'this program');
  requireAddressSpace(startingAddressSpace, 'this program');
  const [{ createProgram, runCommandLine }, { registerCommands }] = await Promise.all([
    import('./commands/command-line.js'),
    import('./commands/commands.js'),
  ]);
  const program = createProgram();
  registerCommands(program, {
    train: async (options) => (await import('./coordinator/command.js')).train(options),
    coordinate: async (options) => (await import('./coordinator/command.js')).lead(options),
    evaluate: async (options) => (await import('./inspection/command.js')).evaluate(options),
    encode: async (options) => (await import('./encoding/command.js')).encode(options),
    serve: async (options) => (await import('./serving/command.js')).serve(options),
    search: async (options) => (await import('./search/command.js')).search(options),
    estimate: async ({ run, devices, ...source }) =>
      (await import('./estimate/show-estimate.js')).showEstimate(run, devices, source),
    table: async (options) => (await import('./commands/experiment-actions.js')).table(options),
    ablate: async (options) => (await import('./commands/experiment-actions.js')).ablate(options),
    tune: async (options) => (await import('./commands/experiment-actions.js')).tune(options),
    audit: async (options) => (await import('./inspection/command.js')).audit(options),
    export: async (options) => (await import('./export/command.js')).exportRun(options),
    report: async (options) => (await import('./report/command.js')).report(options),
    worker: {
      work: async (options) => (await import('./worker/command.js')).work(options),
      workOnDevices: async (options) => (await import('./hub/command.js')).workOnDevices(options),
    },
    runs: {
      list: async (folder) => (await import('./inspection/runs/show-runs.js')).showRuns(folder),
      compare: async (first, second) =>
        (await import('./inspection/runs/show-runs.js')).showComparison(first, second),
      bisect: async (options) =>
        (await import('./inspection/bisect/show-bisection.js')).showBisection(options),
    },
    dataset: {
      make: async (directory, options) =>
        (await import('./commands/dataset-actions.js')).makeDataset(directory, options),
      check: async (directory, options) =>
        (await import('./commands/dataset-actions.js')).inspectDataset(directory, options),
    },
    control: async (options) => (await import('./commands/control-action.js')).control(options),
    showUi: async (options) => (await import('./inspection/ui/show-ui.js')).showUi(options),
    watch: async (options) => (await import('./commands/watch-action.js')).watch(options),
    start: async (options) => (await import('./commands/start-action.js')).start(options),
    makeCerts: async (options) => (await import('./commands/certs-action.js')).makeCerts(options),
    weights: {
      check: async (path) => (await import('./commands/weights-actions.js')).checkWeights(path),
      convert: async (path, output) =>
        (await import('./commands/weights-actions.js')).convertWeightsFile(path, output),
      fetch: async (name, options) =>
        (await import('./commands/weights-actions.js')).fetchPublishedWeights(name, options),
      publish: async (options) => (await import('./export/publish-weights.js')).publishWeights(options),
    },
    completion: async (whole, shell) =>
      (await import('./commands/completion/action.js')).printCompletion(whole, shell),
    doctor: {
      examineEngines: async (options) =>
        (await import('./commands/doctor-action.js')).examineEngines(options),
      examineKube: async (options) => (await import('./commands/doctor-kube-action.js')).examineKube(options),
    },
  });
  await runCommandLine(program, process.argv.slice(2));
  return undefined;
});
