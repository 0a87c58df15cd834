import { Refusal } from './refusal.js';

/** Counts requests that are received and answered: so many at once, and a client has only some of them. */
export class Places {
  private taken = 0;
  private readonly ofClients = new Map<string, number>();

  constructor(private readonly limits: { readonly most: number; readonly perClient: number }) {}

  /** Requests at this moment. */
  get count(): number {
    return this.taken;
  }

  /** @throws Refusal 429 when the client has too many requests, 503 when there are too many of all */
  async within<Value>(client: string, work: () => Promise<Value>): Promise<Value> {
    const { most, perClient } = this.limits;
    const own = this.ofClients.get(client) ?? 0;
    const later = { 'retry-after': '1' };
    if (own >= perClient) {
      const message = `this address has ${own} of at most ${perClient} requests at once; try again later`;
      throw new Refusal(429, 'client_limit', message, later);
    }
    if (this.taken >= most) {
      const message = `the server has ${this.taken} of at most ${most} requests; try again later`;
      throw new Refusal(503, 'queue_full', message, later);
    }
    this.taken++;
    this.ofClients.set(client, own + 1);
    try {
      return await work();
    } finally {
      this.taken--;
      const left = this.ofClients.get(client)! - 1;
      if (left === 0) this.ofClients.delete(client);
      else this.ofClients.set(client, left);
    }
  }
}
