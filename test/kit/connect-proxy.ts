import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** An HTTP proxy as companies have them, on a free port of loopback: it makes tunnels, and passes plain requests on. */
export class ConnectProxy {
  /** What it was asked for, HOST:PORT each. */
  readonly asked: string[] = [];

  private constructor(
    private readonly server: Server,
    /** Where a name of its network leads, by HOST:PORT; null refuses with 403. */
    private readonly places: Readonly<Record<string, string | null>>,
  ) {
    server.on('connect', ({ url }, socket) => {
      const place = this.placeOf(url!);
      socket.on('error', () => {});
      if (place === null) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      const far = connect(place.port, place.host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(far).pipe(socket);
      });
      far.on('error', () => socket.destroy());
      socket.on('close', () => far.destroy());
    });
    server.on('request', (asked, answer) => {
      const { host: name, pathname } = new URL(asked.url!);
      const place = this.placeOf(name.includes(':') ? name : `${name}:80`);
      if (place === null) return answer.writeHead(403).end();
      const { method, headers } = asked;
      request({ ...place, path: pathname, method, headers }, (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      }).end();
    });
  }

  /** @param places where names lead that only the proxy knows; others lead where they say */
  static async open(places: Readonly<Record<string, string | null>> = {}): Promise<ConnectProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ConnectProxy(server, places);
  }

  /** HOST:PORT. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private placeOf(asked: string): { host: string; port: number } | null {
    this.asked.push(asked);
    const place = asked in this.places ? this.places[asked]! : asked;
    if (place === null) return null;
    const [host, port] = place.split(':');
    return { host: host!, port: Number(port) };
  }
}

/** The variables by which programs learn of a proxy, all with this one. */
export function proxyVariables(address: string): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'grpc_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];
  return {
    ...Object.fromEntries(names.map((name) => [name, `http://${address}`])),
    no_proxy: '',
    NO_PROXY: '',
  };
}
