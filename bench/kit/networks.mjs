// Machines of a made-up network: one network namespace each, with a cable to a switch that carries so many bits per second
// in each direction.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OptionError } from './options.mjs';

/** A network is quiet if its cables carry no more than this in this time. */
const quietMs = 300;
const quietBytes = 100_000;
const prefix = 'fcaenet-bench-';
const owners = new Map();
process.once('exit', () => {
  for (const network of owners.values()) network.remove();
});

const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Linux's default. A kernel may have another, such as bbr, and its figures cannot be compared with others. */
export const usualCongestionControl = 'cubic';

/**
 * @param {string} congestionControl of TCP, as the kernel names it
 * @throws OptionError what this machine lacks for a made-up network, in one sentence
 */
export function requireNetworks(congestionControl = usualCongestionControl) {
  const needs =
    'this benchmark needs root, the commands ip and tc, and a kernel with network namespaces, veth, bridge, tbf and ' +
    `TCP's congestion control ${congestionControl}`;
  if (process.getuid() !== 0) throw new OptionError(`${needs}, but this user is not root.`);
  try {
    removeLeftOvers();
    new Network(1, 100, congestionControl).remove();
  } catch (error) {
    const reason = String(error.stderr || error.message)
      .trim()
      .split('\n')[0]
      .replace(/\.$/, '');
    throw new OptionError(`${needs}, but: ${reason}.`);
  }
}

/** Namespaces of benchmarks that were killed. */
function removeLeftOvers() {
  const names = ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0]);
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    if (!existsSync(`/proc/${name.slice(prefix.length).split('-')[0]}`)) ip('netns', 'del', name);
  }
}

let networks = 0;

export class Network {
  /**
   * @param {number} machines 1 to 200
   * @param {number} megabits per second of each cable in each direction
   * @param {string} congestionControl of TCP, as the kernel names it
   */
  constructor(machines, megabits, congestionControl = usualCongestionControl) {
    this.congestionControl = congestionControl;
    this.id = `${prefix}${process.pid}-${++networks}`;
    this.machines = machines;
    owners.set(this.id, this);
    this.made = [];
    this.add('switch');
    this.inside('switch', 'ip', 'link', 'add', 'bridge', 'type', 'bridge');
    this.inside('switch', 'ip', 'link', 'set', 'bridge', 'up');
    for (let machine = 0; machine < machines; machine++) this.plugIn(machine, megabits);
  }

  plugIn(machine, megabits) {
    const port = `port${machine}`;
    this.add(machine);
    ip(
      ...['link', 'add', 'cable', 'netns', this.nameOf(machine), 'type', 'veth'],
      ...['peer', 'name', port, 'netns', this.nameOf('switch')],
    );
    this.inside('switch', 'ip', 'link', 'set', port, 'master', 'bridge', 'up');
    this.inside(machine, 'ip', 'addr', 'add', `${this.addressOf(machine)}/24`, 'dev', 'cable');
    for (const device of ['cable', 'lo']) this.inside(machine, 'ip', 'link', 'set', device, 'up');
    this.inside(
      machine,
      ...['ip', 'route', 'change', '10.214.0.0/24', 'dev', 'cable', 'proto', 'kernel', 'scope', 'link'],
      ...['src', this.addressOf(machine), 'congctl', this.congestionControl],
    );
    // A burst holds the largest packet before it is cut into segments, 64 KiB.
    const rate = ['tbf', 'rate', `${megabits}mbit`, 'burst', '256kb', 'latency', '50ms'];
    this.inside(machine, 'tc', 'qdisc', 'add', 'dev', 'cable', 'root', ...rate);
    this.inside('switch', 'tc', 'qdisc', 'add', 'dev', port, 'root', ...rate);
  }

  addressOf(machine) {
    return `10.214.0.${machine + 1}`;
  }

  /** Runs the command that follows on a machine. */
  within(machine) {
    return ['ip', 'netns', 'exec', this.nameOf(machine)];
  }

  /** Bytes of packets that a machine has sent and received so far. */
  trafficOf(machine) {
    const count = (what) =>
      Number(this.inside(machine, 'cat', `/sys/class/net/cable/statistics/${what}_bytes`));
    return { sent: count('tx'), received: count('rx') };
  }

  /** Waits until no cable carries more than a few packets. */
  async quiet() {
    const sent = () =>
      Array.from({ length: this.machines }, (_, machine) => this.trafficOf(machine).sent).reduce(
        (sum, bytes) => sum + bytes,
      );
    for (let before = sent(), now; ; before = now) {
      await sleep(quietMs);
      now = sent();
      if (now - before < quietBytes) return;
    }
  }

  /** Ends the network; processes in it must have ended. Safe to call twice. */
  remove() {
    owners.delete(this.id);
    for (const name of this.made.splice(0)) ip('netns', 'del', name);
  }

  nameOf(machine) {
    return `${this.id}-${machine}`;
  }

  add(machine) {
    ip('netns', 'add', this.nameOf(machine));
    this.made.push(this.nameOf(machine));
  }

  inside(machine, ...command) {
    return ip('netns', 'exec', this.nameOf(machine), ...command);
  }
}
