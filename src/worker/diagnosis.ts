import { request } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { parseAddress } from '../run/address.js';
import { oldestTls } from '../transport/credentials.js';
import { http2Preface } from '../transport/http2-preface.js';
import type { TlsMaterial } from '../transport/tls-files.js';

/** Time limit of one examination. */
const lookMs = 3_000;
/** A coordinator that rejects this worker's certificate closes the connection within this time. */
const closeMs = 500;

/** A coordinator sends its settings as soon as it has the preface: a frame of type 4 on stream 0. */
const settingsFrame = { type: 4, headerBytes: 9 } as const;

const notACoordinator = `something listens there, but within ${lookMs / 1000} s it did not answer as a coordinator does`;
const tooLate = `no data came within ${lookMs / 1000} s`;
const closesAtOnce = 'it closes new connections immediately';

/** What the codes of Node and OpenSSL mean for the user. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'no process listens on that port'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'its host name cannot be resolved'],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, 'its network cannot be reached'],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_(UNTRUSTED|SIGNATURE)/,
    "the coordinator's certificate was not issued by the authority in --tls-authority",
  ],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, "the coordinator's certificate is not valid now"],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, 'it does not use TLS, but this worker has certificates'],
  [
    /ALERT_(CERTIFICATE|UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE)|CERTIFICATE_REQUIRED/,
    "the coordinator does not accept this worker's certificate",
  ],
  [/ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, `it does not support ${oldestTls} or newer`],
];

/**
 * Opens one connection to find out why no coordinator can be reached. gRPC only reports that the connection failed.
 * @param proxy HOST:PORT of the HTTP proxy; null without one
 * @returns words that end a sentence, or null when everything up to HTTP/2 works
 */
export async function whyUnreachable(
  address: string,
  tls: TlsMaterial | null,
  proxy: string | null = null,
): Promise<string | null> {
  const { host, port } = parseAddress(address) ?? { host: address, port: 0 };
  if (proxy !== null) {
    const tunnel = await openTunnel(proxy, address);
    if (typeof tunnel === 'string') return `the proxy ${proxy} does not connect to it: ${tunnel}`;
    if (tls === null) tunnel.write(http2Preface);
    return await (tls === null
      ? look(tunnel, null, () => closesAtOnce)
      : lookByTls(host, tls, { socket: tunnel }));
  }
  if (tls !== null) return await lookByTls(host, tls, { host, port });
  const reason = await lookInPlainText(host, port);
  if (reason !== closesAtOnce || !(await speaksTls(host, port))) return reason;
  return 'it uses TLS: add --tls-certificate, --tls-key and --tls-authority';
}

async function lookInPlainText(host: string, port: number): Promise<string | null> {
  const socket = connect({ host, port });
  socket.once('connect', () => socket.write(http2Preface));
  return await look(socket, 'connect', () => closesAtOnce);
}

/** Whether the server sends a certificate, valid or not. */
async function speaksTls(host: string, port: number): Promise<boolean> {
  const socket = connectTls({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  let isSecure = false;
  socket.once('secureConnect', () => {
    isSecure = true;
    socket.destroy();
  });
  await look(socket, 'secureConnect', () => closesAtOnce);
  return isSecure;
}

/** A connection to the coordinator through the proxy, or the reason why there is none. */
function openTunnel(proxy: string, address: string): Promise<Socket | string> {
  const { host, port } = parseAddress(proxy) ?? { host: proxy, port: 0 };
  return new Promise((resolve) => {
    const asked = request({
      host,
      port,
      method: 'CONNECT',
      path: address,
      headers: { host: address },
      timeout: lookMs,
    });
    asked.once('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      resolve(`it answered ${statusCode}`);
    });
    asked.once('timeout', () => asked.destroy(new Error(tooLate)));
    asked.once('error', (error) => resolve(meaningOf(error)));
    asked.end();
  });
}

function lookByTls(
  host: string,
  tls: TlsMaterial,
  way: { readonly socket: Socket } | { readonly host: string; readonly port: number },
): Promise<string | null> {
  const socket = connectTls({
    ...way,
    cert: tls.certificate,
    key: tls.key,
    ca: tls.authority,
    minVersion: oldestTls,
    ALPNProtocols: ['h2'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
  let isSecure = false;
  socket.once('secureConnect', () => {
    isSecure = true;
    // Who closes without a word after the handshake has not accepted the coordinator's certificate.
    socket.write(http2Preface);
  });
  // In TLS 1.3 the client finishes before the server has seen its certificate.
  return look(socket, 'secureConnect', () =>
    isSecure
      ? "it closes the connection after it has received this worker's certificate; its log says why"
      : 'it closes the connection instead of answering with TLS',
  );
}

/**
 * Watches one connection until it breaks, or until a short time has passed after `ready` and the other side has answered
 * the preface.
 * @param ready the event that says that it is open; null when it is open already
 * @param closed the meaning when the other side closes it
 */
function look(
  socket: Socket,
  ready: 'connect' | 'secureConnect' | null,
  closed: () => string,
): Promise<string | null> {
  return new Promise((resolve) => {
    const found = (what: string | null) => {
      clearTimeout(late);
      resolve(what);
      socket.destroy();
    };
    let received = Buffer.alloc(0);
    let isOpen = false;
    const late = setTimeout(() => found(isOpen ? notACoordinator : tooLate), lookMs);
    const judge = () => {
      if (received.length < settingsFrame.headerBytes) return;
      found(received[3] === settingsFrame.type ? null : notACoordinator);
    };
    const open = () => {
      isOpen = true;
      setTimeout(() => {
        judge();
        socket.on('data', judge);
      }, closeMs);
    };
    if (ready === null) open();
    else socket.once(ready, open);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      found(/^(ECONNRESET|EPIPE)$/.test(error.code ?? '') ? closed() : meaningOf(error)),
    );
    socket.once('close', () => found(closed()));
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data.subarray(0, settingsFrame.headerBytes)]);
    });
  });
}

function meaningOf(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the coordinator's certificate is for another host (${error.message.replace(/^.*altnames: /, '')})`;
  }
  return meanings.find(([pattern]) => pattern.test(code))?.[1] ?? error.message;
}
