import { type Dispatcher, request } from 'undici';
import { isLoopback } from '../../run/address.js';
import type { ModelError } from '../error.js';

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 10;

/**
 * Asks for a URL, and follows the server to the place that it names instead, such as the host of a model hub's large
 * files. Every host gets the same headers, so they must hold no secret.
 * @param fail makes the error of a reason
 * @throws what `fail` makes, after `mostRedirects` and for a place that `mayLead` refuses
 */
export async function requestFollowing(
  url: string,
  options: Pick<Dispatcher.RequestOptions, 'signal' | 'headers' | 'highWaterMark'> & {
    readonly dispatcher: Dispatcher;
  },
  fail: (reason: string) => ModelError,
): Promise<Dispatcher.ResponseData> {
  let place = new URL(url);
  for (let redirects = 0; ; redirects++) {
    const response = await request(place, options);
    if (!redirectStatuses.has(response.statusCode)) return response;
    await response.body.dump();
    if (redirects === mostRedirects) throw fail(`the server redirects more than ${mostRedirects} times`);
    const { location } = response.headers;
    if (typeof location !== 'string' || !URL.canParse(location, place.href)) {
      throw fail(`the server answered ${response.statusCode}, but named no place that is a URL`);
    }
    const next = new URL(location, place);
    // Its path may hold a signature.
    if (!mayLead(place, next)) {
      throw fail(`the server redirects to ${next.protocol}//${next.host}, expected a place with https`);
    }
    place = next;
  }
}

/**
 * Whether a server may redirect from one place to another. What was asked for encrypted stays encrypted, and no server leads
 * to another host without encryption, such as one inside the user's network.
 */
export function mayLead(from: URL, to: URL): boolean {
  if (to.protocol === 'https:') return true;
  const isSameHost = from.hostname === to.hostname;
  const areLoopback = isLoopback(from.hostname) && isLoopback(to.hostname);
  return from.protocol === 'http:' && to.protocol === 'http:' && (isSameHost || areLoopback);
}
