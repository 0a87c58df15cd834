// Milliseconds of processor time that a megabyte takes from one process's memory to another's, both ends together, over
// each way that Node has: as workers exchange ranges, bare gRPC, HTTP/2, and a socket with a length before each range. All
// carry ranges of the size that the exchange sends, over loopback, in plain text and with mutual TLS, in turns.
// usage: npm run bench:bytes [-- --ways workers,grpc,http2,socket --kib 512 --megabytes 400 --rounds 5]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates, tlsFilesIn } from '../dist/transport/certificates.js';
import { bytePaths } from './kit/byte_paths.mjs';
import { listOf, numberOf, optionsOf, runBenchmark } from './kit/options.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const names = Object.keys(bytePaths);

function settingsOf(args) {
  const { values } = optionsOf({
    args,
    options: {
      ways: { type: 'string', default: names.join() },
      kib: { type: 'string', default: '512' },
      megabytes: { type: 'string', default: '400' },
      rounds: { type: 'string', default: '5' },
    },
  });
  return {
    ways: listOf(values, 'ways', names),
    rangeBytes: 1024 * numberOf(values, 'kib'),
    megabytes: numberOf(values, 'megabytes'),
    rounds: numberOf(values, 'rounds'),
  };
}

const running = new Set();
process.once('exit', () => {
  for (const end of running) end.kill('SIGKILL');
});

/** The environment in which `fcaenet` starts Node: the first line of the program. */
function environment() {
  const [firstLine] = readFileSync(join(import.meta.dirname, '..', 'dist', 'cli.js'), 'utf8').split('\n');
  const settings = [...firstLine.matchAll(/(\w+)=(\d+)/g)].map(([, name, value]) => [name, value]);
  return { ...process.env, ...Object.fromEntries(settings) };
}

/** Two processes, one on each end of a way. */
async function open(way, rangeBytes, files) {
  const start = async (role, port) => {
    const settings = JSON.stringify({ way, role, rangeBytes, files, port });
    const end = fork(join(import.meta.dirname, 'bytes_end.mjs'), [settings], { env: environment() });
    end.once('exit', (code) => {
      if (code !== null) throw new Error(`the ${role} of ${way} ended with exit code ${code}.`);
    });
    running.add(end);
    return { end, said: (await once(end, 'message'))[0] };
  };
  const receiver = await start('receiver', null);
  const sender = await start('sender', receiver.said.port);
  return {
    /** Processor milliseconds of each end, while `ranges` ranges go from one to the other. */
    async measure(ranges) {
      const answer = async ({ end }) => (await once(end, 'message'))[0].processorMs;
      const expected = answer(receiver);
      receiver.end.send({ ranges });
      const before = await expected;
      const done = Promise.all([answer(sender), answer(receiver)]);
      sender.end.send({ ranges });
      const [sending, after] = await done;
      return { sending, receiving: after - before };
    },
    close() {
      for (const { end } of [sender, receiver]) end.kill('SIGKILL');
    },
  };
}

const both = ({ sending, receiving }) => sending + receiving;

async function main(args) {
  const { ways, rangeBytes, megabytes, rounds } = settingsOf(args);
  const folder = temporaryFolder('bytes');
  await makeCertificates({ directory: join(folder, 'certs'), names: [], days: 1, nowMs: Date.now() });
  const files = tlsFilesIn(join(folder, 'certs'), 'worker');
  const ranges = Math.ceil((1e6 * megabytes) / rangeBytes);
  const sent = (ranges * rangeBytes) / 1e6;
  const report = {};
  for (const [kind, security] of Object.entries({ 'plain text': null, TLS: files })) {
    const pairs = {};
    const turns = Object.fromEntries(ways.map((way) => [way, []]));
    for (const way of ways) pairs[way] = await open(way, rangeBytes, security);
    // The first round connects and compiles.
    for (let round = 0; round <= rounds; round++) {
      for (const way of ways) {
        const { sending, receiving } = await pairs[way].measure(ranges);
        if (round > 0) turns[way].push({ sending: sending / sent, receiving: receiving / sent });
      }
    }
    for (const way of ways) {
      pairs[way].close();
      const ratios = turns[way].map((turn, round) => both(turn) / both(turns[ways[0]][round]));
      const end = (name) => median(turns[way].map((turn) => turn[name])).toFixed(2);
      console.log(
        `${kind}, ${way}: ${spread(turns[way].map(both))} ms of processor a MB ` +
          `(sender ${end('sending')}, receiver ${end('receiving')}), ${spread(ratios)} of ${ways[0]}`,
      );
    }
    report[kind] = turns;
  }
  writeReport('bytes', { rangeBytes, megabytes, millisecondsPerMegabyte: report });
  process.exit(0);
}

await runBenchmark(() => main(process.argv.slice(2)));
