// What a step costs the coordinator with more and more members, on one machine over loopback. Members are `fcaenet worker`
// with a made-up engine: a microbatch takes a fixed time and no processor, and its gradient is made up. Each member
// computes the same number of microbatches, so with bytes that cost nothing a step would take the same time with any
// number of members.
// usage: npm run bench:scale [-- --members 1,2,4,8,16 --ways off,auto --backbone resnet50 --width 1 --compute-ms 15
//   --microbatches 4 --seconds 10 --steps 3]
import { freemem } from 'node:os';
import { knownWays, MadeUpRun, makeDataset, sizesOf } from './kit/made-up-run.mjs';
import { listOf, membersOf, numberOf, OptionError, optionsOf, runBenchmark } from './kit/options.mjs';
import { writeReport } from './kit/report.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

/** Resident bytes of a member: the program, and the gradients and weights that it holds. */
const memberBytes = (gradientBytes) => 130e6 + 4 * gradientBytes;

function settingsOf(args) {
  const { values } = optionsOf({
    args,
    options: {
      members: { type: 'string', default: '1,2,4,8,16' },
      ways: { type: 'string', default: knownWays.join() },
      backbone: { type: 'string', default: 'resnet50' },
      width: { type: 'string', default: '1' },
      'compute-ms': { type: 'string', default: '15' },
      microbatches: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '10' },
      steps: { type: 'string', default: '3' },
    },
  });
  const microbatches = numberOf(values, 'microbatches');
  return {
    memberCounts: membersOf(values, microbatches),
    ways: listOf(values, 'ways', knownWays),
    network: { backbone: values.backbone, width: numberOf(values, 'width') },
    computeMs: numberOf(values, 'compute-ms'),
    microbatches,
    seconds: numberOf(values, 'seconds'),
    steps: numberOf(values, 'steps'),
  };
}

/** One number of members in one way. */
async function measure(folder, members, way, { network, computeMs, microbatches, seconds, steps }) {
  const run = await MadeUpRun.start(folder, {
    ...network,
    ...{ name: `scale-${members}-${way}`, members, way, microbatches, computeMs, listen: '127.0.0.1:0' },
  });
  try {
    const measured = await run.measure(seconds, steps);
    const pauses = await run.longestPauses(seconds, steps);
    await run.checkSums();
    const aStep = (name) => measured[name] / measured.steps;
    const { gradientBytes, weightBytes } = run.sizes;
    return {
      members,
      way,
      exchanging: measured.exchanging,
      steps: measured.steps,
      stepSeconds: measured.stepSeconds,
      computeSeconds: (microbatches * computeMs) / 1000,
      bytesIn: aStep('bytesIn'),
      bytesOut: aStep('bytesOut'),
      gradientsIn: aStep('bytesIn') / gradientBytes,
      weightsOut: aStep('bytesOut') / weightBytes,
      processorSeconds: aStep('processorSeconds'),
      peakBytes: run.peakBytes(),
      memberPeakBytes: Math.max(...run.members.map((member) => run.peakBytes(member))),
      longestPauseMs: pauses.longest,
      longestOwnPauseMs: pauses.own,
      computedTwice: measured.computedTwice,
    };
  } finally {
    await run.end();
  }
}

function sentence(row) {
  const mib = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
  return (
    `${row.members} members, exchange ${row.way} (used by ${row.exchanging}): ${row.stepSeconds.toFixed(3)} s a step ` +
    `(${row.computeSeconds.toFixed(3)} s of it computing); coordinator: ${row.gradientsIn.toFixed(3)} gradients in, ` +
    `${row.weightsOut.toFixed(3)} weights out, ${row.processorSeconds.toFixed(3)} s of processor, ` +
    `${mib(row.peakBytes)}, longest pause ${row.longestPauseMs.toFixed(0)} ms ` +
    `(${row.longestOwnPauseMs.toFixed(0)} ms without waiting for a processor), ` +
    `${row.computedTwice} microbatches computed twice in ${row.steps} steps`
  );
}

await runBenchmark(async () => {
  const settings = settingsOf(process.argv.slice(2));
  const sizes = sizesOf(settings.network);
  const most = Math.max(...settings.memberCounts);
  const needed = (most + 2) * memberBytes(sizes.gradientBytes);
  if (needed > freemem()) {
    throw new OptionError(
      `${most} members of ${settings.network.backbone} need ${Math.ceil(needed / 1e9)} GB of memory, but ${Math.floor(freemem() / 1e9)} GB are free: use a smaller --backbone or fewer --members.`,
    );
  }
  const folder = temporaryFolder('scale');
  const results = [];
  await makeDataset(folder, most * settings.microbatches);
  for (const members of settings.memberCounts) {
    for (const way of settings.ways) {
      const row = await measure(folder, members, way, settings);
      results.push(row);
      console.log(sentence(row));
    }
  }
  const { parameterSizes, ...bytes } = sizes;
  writeReport('scale', { settings, ...bytes, results });
});
