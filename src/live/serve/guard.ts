import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { quote } from '../../errors.js';

/**
 * Why a request to the page is refused; null when it is not. A web site that somebody visits could otherwise read the
 * page through the visitor's browser, by a name of its own that it lets point to this machine (DNS rebinding). An
 * address instead of a name cannot be made to point elsewhere.
 * @param hosts names besides `localhost` by which the page may be reached
 */
export function refusalOf(headers: IncomingHttpHeaders, hosts: readonly string[]): string | null {
  const host = headers.host ?? '';
  const name = hostnameOf(`http://${host}`);
  if (name === null || !isOwn(name, hosts)) {
    return `the page is not served under the name ${quote(host)}, but under an address, localhost, or, as the page of a coordinator, a name in its spec.operation.monitor.hosts`;
  }
  const foreign = foreignOrigin(headers);
  return foreign && `the request comes from ${foreign}, but only the page itself may send requests`;
}

/** Which page of another origin sends a request with a user's browser, in words; null when none does. */
export function foreignOrigin({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): string | null {
  if (origin !== undefined && hostOf(origin) !== host) return quote(origin);
  if (site === undefined || site === 'same-origin' || site === 'none') return null;
  return `another site (${quote(String(site))})`;
}

function isOwn(name: string, hosts: readonly string[]): boolean {
  return (
    isIP(name) !== 0 ||
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    hosts.some((host) => host.toLowerCase() === name)
  );
}

/** The host of a URL in lower case, without port and brackets; null when it is no URL. */
function hostnameOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : null;
}

function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}
