// Processor time of one FCAENet microbatch of a ResNet-50 (pass 1, attention and erasing, pass 2, loss, backward) on the
// engine `tensorflow`: as one graph, operation by operation, and as Python's `tf.function` of the same TensorFlow, in one
// interleaved run; and how often a microbatch calls into TensorFlow. Python is compared twice: with the gradient in an
// array of each side's own language, and with the gradient left in TensorFlow on both sides. Needs
// `npm run setup:tensorflow`, and a Python (PYTHON, or python3) that has TensorFlow of the version in scripts/tensorflow-cpu.txt.
// usage: npm run bench:graph [-- ROWSxSIZE...] [--threads=1] [--rounds=5] [--without=eager]
import { join } from 'node:path';
import { optionsOf, runBenchmark } from './kit/options.mjs';
import { requirePython } from './kit/python.mjs';
import { spread, writeReport } from './kit/report.mjs';
import { stepper } from './kit/stepper.mjs';

const here = import.meta.dirname;
const python = process.env.PYTHON ?? 'python3';
/** What the ratios are held against, by rows and size. */
const bounds = { '2x32': { python: 1.1, eager: 0.62 }, '4x224': { python: 1.05 } };

const { values: flags, positionals: wanted } = optionsOf({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    without: { type: 'string', default: '' },
  },
});

async function compare(name) {
  const settings = [...name.split('x'), flags.threads];
  const steps = join(here, 'graph_steps.mjs');
  const inPython = (gradient) =>
    stepper(python, [join(here, 'tensorflow_graph.py'), ...settings, gradient], {
      TF_DETERMINISTIC_OPS: '1',
      TF_CPP_MIN_LOG_LEVEL: '2',
    });
  const own = (side) => stepper(process.execPath, [steps, side, ...settings], {});
  const sides = {
    graph: await own('graph'),
    python: await inPython('array'),
    left: await own('left'),
    'python, left': await inPython('tensor'),
    ...(flags.without === 'eager' ? {} : { eager: await own('eager') }),
  };
  for (const side of Object.values(sides)) await side.run(2);
  const turns = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const turn = {};
    for (const [side, process] of Object.entries(sides)) turn[side] = (await process.run(1)).processor;
    turns.push(turn);
  }
  const about = JSON.parse(sides.graph.about);
  const version = sides.python.about;
  for (const side of Object.values(sides)) side.end();
  if (!about.version.includes(`TensorFlow ${version} `)) {
    throw new Error(`Python has TensorFlow ${version}, and the engine is ${about.version}.`);
  }
  const ratio = (side, other) => turns.map((turn) => turn[side] / turn[other]);
  const ratios = [
    ['python', 'gradient as an array', ratio('graph', 'python')],
    ['python', 'gradient left in TensorFlow', ratio('left', 'python, left')],
    ...(sides.eager ? [['eager', 'gradient as an array', ratio('graph', 'eager')]] : []),
  ];
  const bound = bounds[name] ?? {};
  const { run, tensors, all } = about.spent;
  const outside = all - run;
  console.log(
    `${name.replace('x', ' rows of ')} pixels, ${flags.threads} thread(s): ` +
      ratios
        .map(
          ([side, what, values]) =>
            `graph ÷ ${side}, ${what}, ${spread(values)}${bound[side] ? ` (at most ${bound[side]})` : ''}`,
        )
        .join('; ') +
      `; calls into TensorFlow ${about.calls.run}; outside the graph ${outside.toFixed(0)} ms of the processor, ` +
      `${tensors.toFixed(0)} of them for ${about.calls.tensors} tensors made or read`,
  );
  return { name, threads: Number(flags.threads), turns, about };
}

await runBenchmark(async () => {
  requirePython(python, 'TensorFlow', 'tensorflow');
  const results = [];
  for (const name of wanted.length > 0 ? wanted : Object.keys(bounds)) results.push(await compare(name));
  writeReport('graph', { results });
});
