import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { fleetDashboard } from './fleet.js';
import { runDashboard } from './run.js';
import { workersDashboard } from './workers.js';

/** Every dashboard, by the name of its file. */
export function dashboards(): Record<string, Dashboard> {
  return { 'run.json': runDashboard(), 'workers.json': workersDashboard(), 'fleet.json': fleetDashboard() };
}

/** A dashboard as it stands in its file. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
