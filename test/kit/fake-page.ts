import { BoundedServer } from '../../src/live/serve/bounded-server.js';
import type { Door } from '../../src/live/serve/control-door.js';
import { RunPage } from '../../src/live/serve/run-page.js';
import { summaryOf } from '../../src/live/summary.js';
import type { RunView } from '../../src/live/view.js';

/** The page over HTTP with views that a test sets, and without a run. */
export class FakePage {
  views: RunView[];
  door: Door | null = null;
  /** How often a view was read. */
  reads = 0;
  private server: BoundedServer | null = null;
  private page: RunPage | null = null;
  private port = 0;

  constructor(
    views: RunView[],
    private readonly kind: 'coordinator' | 'folder' = 'coordinator',
    private readonly hosts: readonly string[] = [],
  ) {
    this.views = views;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts, at the same port when it was started before. */
  async start(): Promise<void> {
    const page = new RunPage(
      {
        list: async () => ({ runs: this.views.map(summaryOf), server: this.kind }),
        view: async (name) => {
          this.reads++;
          return this.views.find(({ run }) => run === name) ?? null;
        },
        door: () => this.door,
      },
      this.hosts,
    );
    const server = await BoundedServer.listen(
      { host: '127.0.0.1', port: this.port },
      async (request, response) => {
        if (await page.answer((request.url ?? '').split('?')[0]!, request, response)) return;
        response.writeHead(404).end();
      },
    );
    this.port = Number(server.address.split(':')[1]);
    [this.server, this.page] = [server, page];
  }

  /** Ends as a coordinator does at the end of its run. */
  async close(): Promise<void> {
    await this.page?.close();
    this.vanish();
  }

  /** Ends as a coordinator that was killed. */
  vanish(): void {
    void this.server?.close();
    this.server = null;
  }
}
