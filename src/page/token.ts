import { decoded } from './address.js';

const key = 'fcaenet-control-token';

/** The control token that the user gave, until the tab is closed. */
export function knownToken(): string {
  return sessionStorage.getItem(key) ?? '';
}

export function rememberToken(token: string): void {
  sessionStorage.setItem(key, token);
}

/** Takes `#token=…` out of the address, so that it is neither shown nor kept in the history. */
export function takeTokenFromAddress(): void {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  rememberToken(decoded(token));
  history.replaceState(null, '', location.pathname);
}
