// A step whose gradients and weights cross a network, against PyTorch's DistributedDataParallel over gloo (a ring), with
// the same sizes of gradient and the same made-up time of computation, in turns. Members, and our coordinator, are in
// network namespaces of their own, each with a cable of so many megabits per second in each direction. Ours speaks TLS, as
// it does beyond loopback; gloo has none. Needs root, ip and tc, and a Python with PyTorch: PYTHON, or /usr/bin/python3.
// usage: npm run bench:network [-- --members 2,4,8 --ways off,auto --backbone resnet18 --width 1 --megabits 200
//   --compute-ms 15 --microbatches 4 --rounds 3 --seconds 5 --steps 2
//   --congestion-control cubic]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { knownWays, MadeUpRun, makeDataset, sizesOf } from './kit/made-up-run.mjs';
import { Network, requireNetworks, usualCongestionControl } from './kit/networks.mjs';
import { listOf, membersOf, numberOf, optionsOf, runBenchmark } from './kit/options.mjs';
import { fcaenet } from './kit/paused-run.mjs';
import { requirePython } from './kit/python.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { spawnBound } from './kit/spawn.mjs';
import { stepper } from './kit/stepper.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const python = process.env.PYTHON ?? '/usr/bin/python3';
const port = 7400;
/** PyTorch makes its buckets after the first step. */
const warmUpSteps = 2;

function settingsOf(args) {
  const { values } = optionsOf({
    args,
    options: {
      members: { type: 'string', default: '2,4,8' },
      ways: { type: 'string', default: knownWays.join() },
      backbone: { type: 'string', default: 'resnet18' },
      width: { type: 'string', default: '1' },
      megabits: { type: 'string', default: '200' },
      'compute-ms': { type: 'string', default: '15' },
      microbatches: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '2' },
      'congestion-control': { type: 'string', default: usualCongestionControl },
    },
  });
  const microbatches = numberOf(values, 'microbatches');
  return {
    memberCounts: membersOf(values, microbatches),
    ways: listOf(values, 'ways', knownWays),
    network: { backbone: values.backbone, width: numberOf(values, 'width') },
    megabits: numberOf(values, 'megabits'),
    computeMs: numberOf(values, 'compute-ms'),
    microbatches,
    rounds: numberOf(values, 'rounds'),
    seconds: numberOf(values, 'seconds'),
    steps: numberOf(values, 'steps'),
    congestionControl: values['congestion-control'],
  };
}

/**
 * Seconds of a step that the cables and the computation allow.
 * - `star`: the coordinator's cable carries a gradient from, then the weights to each member.
 * - `exchange`: a member's cable carries N − 1 of N parts of a gradient, as many of the weights, and one part to or from
 *   the coordinator, all at once.
 * - `phases`: the exchange if nothing overlaps: parts to their owners, sums to the coordinator, weights from it, and
 *   from their owners.
 * - `ring`: a gradient twice, each time N − 1 of N parts.
 */
function limits(members, { gradientBytes, weightBytes }, { megabits, microbatches, computeMs }) {
  const seconds = (bytes) => (8 * bytes) / (1e6 * megabits) + (microbatches * computeMs) / 1000;
  const others = (members - 1) / members;
  return {
    star: seconds(members * (gradientBytes + weightBytes)),
    exchange: seconds((1 + others) * gradientBytes),
    phases: seconds((2 + 2 * others) * gradientBytes),
    ring: seconds(2 * others * gradientBytes),
  };
}

/** PyTorch's members, one on each machine; answers to numbers of steps. */
async function startPyTorch(network, members, sizesFile, { microbatches, computeMs }) {
  const script = join(import.meta.dirname, 'pytorch_ddp_network.py');
  const environment = { OMP_NUM_THREADS: '1', GLOO_SOCKET_IFNAME: 'cable' };
  const seconds = String((microbatches * computeMs) / 1000);
  const command = (rank) => [
    ...[...network.within(rank), python, script, String(rank), String(members)],
    ...[`${network.addressOf(0)}:${port}`, seconds, sizesFile],
  ];
  const others = [];
  for (let rank = 1; rank < members; rank++) {
    const [program, ...args] = command(rank);
    const env = { ...process.env, ...environment };
    others.push(spawnBound(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env }));
  }
  const [program, ...args] = command(0);
  const first = await stepper(program, args, environment).catch((error) => {
    // They would wait for it.
    for (const child of others) child.kill('SIGKILL');
    throw error;
  });
  return {
    about: first.about,
    run: (steps) => first.run(steps),
    async end() {
      first.end();
      await Promise.all(others.map((child) => new Promise((resolve) => child.once('exit', resolve))));
    },
  };
}

/** Our run in one way and PyTorch, in turns. */
async function compare(folder, network, members, way, theirs, settings) {
  const { rounds, seconds, steps } = settings;
  const coordinator = members;
  const run = await MadeUpRun.start(folder, {
    ...{ ...settings.network, computeMs: settings.computeMs, microbatches: settings.microbatches },
    ...{ name: `network-${members}-${way}`, members, way },
    listen: `${network.addressOf(coordinator)}:${port}`,
    within: (member) => network.within(member ?? coordinator),
    tls: join(folder, `certs-${members}`),
  });
  try {
    const turns = [];
    for (let round = 0; round < rounds; round++) {
      const before = traffic(network, members);
      const ours = await run.measure(seconds, steps);
      // The last step's weights are still on their way, and would take PyTorch's time.
      await network.quiet();
      const after = traffic(network, members);
      const { clock } = await theirs.run(steps);
      turns.push({
        ours: ours.stepSeconds,
        theirs: clock / steps,
        gradients: after.map(
          (bytes, place) => (bytes - before[place]) / ours.steps / run.sizes.gradientBytes,
        ),
        computedTwice: ours.computedTwice,
        exchanging: ours.exchanging,
      });
    }
    await run.checkSums();
    return rowOf(members, way, turns, limits(members, run.sizes, settings));
  } finally {
    await run.end();
  }
}

/** Bytes so far: most of a member sent and received, the coordinator's sent and received. */
function traffic(network, members) {
  const counts = Array.from({ length: members + 1 }, (_, machine) => network.trafficOf(machine));
  const coordinator = counts.pop();
  const most = (what) => Math.max(...counts.map((each) => each[what]));
  return [most('sent'), most('received'), coordinator.sent, coordinator.received];
}

function rowOf(members, way, turns, allowed) {
  const limit = way === 'off' ? allowed.star : allowed.exchange;
  const [memberSent, memberReceived, coordinatorSent, coordinatorReceived] = turns[0].gradients.map(
    (_, place) => median(turns.map(({ gradients }) => gradients[place])),
  );
  return {
    ...{ members, way, limit, ringLimit: allowed.ring, phasesLimit: allowed.phases, turns },
    stepSeconds: median(turns.map(({ ours }) => ours)),
    pytorchStepSeconds: median(turns.map(({ theirs }) => theirs)),
    /** Above 1, ours is faster. */
    ratios: turns.map(({ ours, theirs }) => theirs / ours),
    limitRatios: turns.map(({ ours }) => ours / limit),
    pytorchLimitRatios: turns.map(({ theirs }) => theirs / allowed.ring),
    /** Bytes of packets in a step, as gradients. */
    ...{ memberSent, memberReceived, coordinatorSent, coordinatorReceived },
    exchanging: Math.min(...turns.map(({ exchanging }) => exchanging)),
    computedTwice: turns.reduce((sum, { computedTwice }) => sum + computedTwice, 0),
  };
}

function sentence(row) {
  const two = (value) => value.toFixed(2);
  const phases = row.way === 'off' ? '' : ` (${two(row.phasesLimit)} s if its phases do not overlap)`;
  return (
    `${row.members} members, exchange ${row.way} (used by ${row.exchanging}): ${two(row.stepSeconds)} s a step, ${spread(row.limitRatios)} of ` +
    `its limit ${two(row.limit)} s${phases}; PyTorch DDP ${two(row.pytorchStepSeconds)} s, ${spread(row.pytorchLimitRatios)} of the ` +
    `ring's ${two(row.ringLimit)} s; ratio ${spread(row.ratios)}; gradients on the cable: a member ` +
    `${two(row.memberSent)} up and ${two(row.memberReceived)} down, the coordinator ${two(row.coordinatorSent)} up and ` +
    `${two(row.coordinatorReceived)} down; ${row.computedTwice} microbatches computed twice`
  );
}

await runBenchmark(async () => {
  const settings = settingsOf(process.argv.slice(2));
  requireNetworks(settings.congestionControl);
  requirePython(python, 'PyTorch (Debian: python3-torch)', 'torch.distributed');
  const { parameterSizes, ...sizes } = sizesOf(settings.network);
  const folder = temporaryFolder('network');
  const sizesFile = join(folder, 'sizes.json');
  writeFileSync(sizesFile, JSON.stringify(parameterSizes));
  await makeDataset(folder, Math.max(...settings.memberCounts) * settings.microbatches);
  const results = [];
  let pytorch = '';
  for (const members of settings.memberCounts) {
    const network = new Network(members + 1, settings.megabits, settings.congestionControl);
    const certificates = join(folder, `certs-${members}`);
    await fcaenet('certs', 'make', certificates, '--name', network.addressOf(members), '--days', '2');
    const theirs = await startPyTorch(network, members, sizesFile, settings);
    pytorch = theirs.about;
    try {
      await theirs.run(warmUpSteps);
      for (const way of settings.ways) {
        const row = await compare(folder, network, members, way, theirs, settings);
        results.push(row);
        console.log(sentence(row));
      }
    } finally {
      await theirs.end();
      network.remove();
    }
  }
  writeReport('network', { settings, pytorch, ...sizes, results });
});
