import { execFileSync } from 'node:child_process';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Why this machine cannot have network namespaces, or null where it can. */
export function whyNoNamespaces(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync('iptables', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'needs iptables';
  }
  const probe = `fcaenet-${process.pid}-p`;
  try {
    ip('netns', 'add', probe);
    ip('netns', 'exec', probe, 'iptables', '-L', '-n');
    return null;
  } catch {
    return 'needs a kernel and an ip command with network namespaces';
  } finally {
    try {
      ip('netns', 'del', probe);
    } catch {
      // It was not made.
    }
  }
}

/** A network of its own for one process, joined to this machine's by a cable of two ends. */
export class NetworkNamespace {
  /** Runs the command that follows inside. */
  readonly within: readonly string[];
  private readonly name: string;
  private readonly cable: string;
  /** Address of this machine's end of the cable. */
  readonly outside: string;

  /** @param index 0 to 250, another for each namespace at a time */
  constructor(index: number) {
    this.name = `fcaenet-${process.pid}-${index}`;
    this.cable = `fc${process.pid % 100_000}n${index}`;
    this.outside = `10.213.${index}.1`;
    this.within = ['ip', 'netns', 'exec', this.name];
    ip('netns', 'add', this.name);
    ip('link', 'add', this.cable, 'type', 'veth', 'peer', 'name', 'cable', 'netns', this.name);
    ip('addr', 'add', `${this.outside}/24`, 'dev', this.cable);
    ip('link', 'set', this.cable, 'up');
    this.inside('ip', 'addr', 'add', `10.213.${index}.2/24`, 'dev', 'cable');
    for (const device of ['cable', 'lo']) this.inside('ip', 'link', 'set', device, 'up');
  }

  /** Drops every packet in both directions, without a word to either side. */
  cut(): void {
    this.inside('iptables', '-A', 'INPUT', '-i', 'cable', '-j', 'DROP');
    this.inside('iptables', '-A', 'OUTPUT', '-o', 'cable', '-j', 'DROP');
  }

  mend(): void {
    this.inside('iptables', '-F');
  }

  remove(): void {
    ip('netns', 'del', this.name);
  }

  private inside(...command: string[]): void {
    ip('netns', 'exec', this.name, ...command);
  }
}
