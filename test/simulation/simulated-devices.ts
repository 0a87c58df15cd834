import type { DeviceReport } from '../../src/transport/generated/fcaenet/v1/DeviceReport.js';
import type { Chance } from './chance.js';

/** The devices of a simulated worker. Where there are several, some of them are not always there. */
export class SimulatedDevices {
  private present: number;

  constructor(
    private readonly most: number,
    private readonly chance: Chance,
  ) {
    this.present = most;
  }

  /** Number of those that compute now. */
  get count(): number {
    return this.present;
  }

  /** What the worker says of them; nothing where it has one. */
  get reports(): DeviceReport[] {
    if (this.most === 1) return [];
    return Array.from({ length: this.present }, (_, index) => ({ name: `device-${index}` }));
  }

  /** Loses some, or has some back, from time to time. */
  change(): void {
    if (this.most > 1 && this.chance.happens(0.2)) this.present = 1 + this.chance.below(this.most);
  }
}
