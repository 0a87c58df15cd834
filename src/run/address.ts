/** A host, without brackets, and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Splits HOST:PORT, with IPv6 hosts in brackets; undefined when the text is not such an address. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** The inverse of {@link parseAddress}. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only local processes can reach the host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Whether the text is the address of a NATS server: nats://HOST:PORT, or tls://HOST:PORT. */
export function isNatsUrl(text: string): boolean {
  return /^(nats|tls):\/\//.test(text) && parseAddress(text.replace(/^\w+:\/\//, '')) !== undefined;
}
