import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards, dashboardText } from './dashboards.js';
import { dashboardPage } from './page.js';

// `npm run dashboards` starts it in the project's folder.
writeFileSync(join('docs', 'dashboards.md'), dashboardPage(dashboards()));
for (const [name, dashboard] of Object.entries(dashboards())) {
  writeFileSync(join('dashboards', name), dashboardText(dashboard));
}
