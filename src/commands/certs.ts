import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { addExamples, wholeNumber } from './options.js';

export interface MakeCertificatesOptions {
  readonly directory: string;
  /** Host names and IP addresses of the coordinator. */
  readonly names: readonly string[];
  readonly days: number;
}

interface Flags {
  readonly name: readonly string[];
  readonly days: number;
}

/** `fcaenet certs make`: a private authority, and the certificates of a coordinator and its workers. */
export function registerCerts(
  program: Command,
  make: (options: MakeCertificatesOptions) => Promise<void>,
): void {
  const certs = program.command('certs').description('make certificates for workers on other machines');
  const command = certs
    .command('make')
    .description('make a private authority, certificates for coordinator and workers, and a join token')
    .argument('<DIR>', 'a folder that is empty or does not exist yet')
    .option(
      '--name <host>',
      'name or IP address by which workers reach the coordinator; may be repeated',
      hostName,
      [],
    )
    .option('--days <count>', 'how long the certificates are valid', wholeNumber(1, 3650), 365);
  addExamples(command, ['npx fcaenet certs make certs --name coordinator.example --name 10.0.0.5']);
  command.action(async (directory: string, { name, days }: Flags) => {
    await make({ directory, names: name, days });
  });
}

function hostName(text: string, previous: readonly string[]): string[] {
  const isName =
    /^(?=.{1,253}$)(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
  if (isIP(text) === 0 && !isName.test(text)) {
    throw new InvalidArgumentError('It must be a host name or an IP address, without a port.');
  }
  return [...previous, text];
}
