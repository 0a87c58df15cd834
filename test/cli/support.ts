import { createProgram, runCommandLine } from '../../src/commands/command-line.js';
import { registerCommands } from '../../src/commands/commands.js';

/** Parses a command line with actions that only remember what they were asked. */
export async function parseCommandLine(...args: string[]): Promise<{ action: string; options: unknown[] }[]> {
  const calls: { action: string; options: unknown[] }[] = [];
  const remember =
    (action: string) =>
    async (...options: unknown[]) => {
      calls.push({ action, options });
    };
  const program = createProgram();
  registerCommands(program, {
    train: remember('train'),
    coordinate: remember('coordinate'),
    worker: { work: remember('work'), workOnDevices: remember('workOnDevices') },
    evaluate: remember('evaluate'),
    encode: remember('encode'),
    search: remember('search'),
    serve: remember('serve'),
    estimate: remember('estimate'),
    table: remember('table'),
    ablate: remember('ablate'),
    tune: remember('tune'),
    audit: remember('audit'),
    export: remember('export'),
    report: remember('report'),
    runs: { list: remember('list'), compare: remember('compare'), bisect: remember('bisect') },
    dataset: { make: remember('make'), check: remember('check') },
    showUi: remember('showUi'),
    watch: remember('watch'),
    start: remember('start'),
    makeCerts: remember('makeCerts'),
    control: remember('control'),
    weights: {
      check: remember('check'),
      convert: remember('convert'),
      fetch: remember('fetch'),
      publish: remember('publish'),
    },
    completion: remember('completion'),
    doctor: { examineEngines: remember('examineEngines'), examineKube: remember('examineKube') },
  });
  program.configureOutput({ writeOut: (text) => calls.push({ action: 'print', options: [text] }) });
  for (const command of allCommands(program)) {
    command.configureOutput({ writeOut: (text) => calls.push({ action: 'print', options: [text] }) });
  }
  await runCommandLine(program, args);
  return calls;
}

type Program = ReturnType<typeof createProgram>;

export function allCommands(program: Program): Program[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}
