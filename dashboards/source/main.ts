import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards, dashboardText } from './dashboards.js';

// `npm run dashboards` starts it in the project's folder.
for (const [name, dashboard] of Object.entries(dashboards())) {
  writeFileSync(join('dashboards', name), dashboardText(dashboard));
}
