import type { DeviceReport__Output } from '../../transport/generated/fcaenet/v1/DeviceReport.js';
import { plausible } from './worker-tally.js';

/** More devices of one member are not believed. */
const mostDevices = 64;
/** Longest name of a device, in characters. */
const mostLetters = 60;

/** A device of a member that has several, and its totals since its process started. */
export interface MemberDevice {
  /** Its name among the member's devices. */
  readonly name: string;
  readonly device: string;
  readonly microbatches: number;
  readonly computeSeconds: number;
  readonly imageWaitSeconds: number;
}

/** Which of several devices of a worker computed which unit of a piece of work. */
export class UnitDevices<Worker> {
  private readonly names = new Map<Worker, Map<number, string>>();

  /** @param claimed the device's name; empty where the worker has one */
  note(worker: Worker, unit: number, claimed: string): void {
    if (claimed === '') return;
    const names = this.names.get(worker) ?? new Map<number, string>();
    this.names.set(worker, names.set(unit, deviceName(claimed)));
  }

  /** As a clause for a message about the unit; empty where it is not known. */
  clause(worker: Worker, unit: number): string {
    const name = this.names.get(worker)?.get(unit);
    return name === undefined ? '' : `, computed on its device ${name},`;
  }
}

/** A name of a device, cut to a limit and made safe for a log. */
function deviceName(claimed: string): string {
  return claimed.slice(0, mostLetters).replace(/[^\w.:-]/g, '_');
}

/** The devices that a member says it has; each name once. */
export function devicesFrom(reports: readonly DeviceReport__Output[]): readonly MemberDevice[] {
  const devices = reports.slice(0, mostDevices).map((report) => ({
    name: deviceName(report.name),
    device: report.device.slice(0, mostLetters),
    microbatches: plausible(report.microbatches),
    computeSeconds: plausible(report.computeSeconds),
    imageWaitSeconds: plausible(report.imageWaitSeconds),
  }));
  return [...new Map(devices.map((each) => [each.name, each])).values()];
}
