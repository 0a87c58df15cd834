import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** The part of a kubelet that an API server asks for logs. Containers without a log have not started yet. */
export class Kubelet {
  /** What containers have said, by `NAMESPACE/POD/CONTAINER`. */
  readonly logs = new Map<string, string>();
  private readonly server: Server;

  private constructor(tls: string) {
    const [cert, key] = ['tls.crt', 'tls.key'].map((name) => readFileSync(join(tls, name)));
    this.server = createServer({ cert, key }, ({ url }, response) => {
      const [, container] = /^\/containerLogs\/([^?]+)/.exec(url ?? '') ?? [];
      const log = this.logs.get(container ?? '');
      if (log === undefined) {
        response.writeHead(400).end(`container ${container} is waiting to start: PodInitializing`);
      } else response.end(log);
    });
  }

  /** @param tls folder with `tls.crt` and `tls.key` */
  static async start(tls: string): Promise<Kubelet> {
    const kubelet = new Kubelet(tls);
    kubelet.server.listen(0, '127.0.0.1');
    await once(kubelet.server, 'listening');
    return kubelet;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
