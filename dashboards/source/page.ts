import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';

const head = `# Dashboards

Three dashboards for Grafana 11.6 and newer, in [\`dashboards/\`](../dashboards). Import the JSON files, or let Grafana
provision them with [\`dashboards/provisioning/\`](../dashboards/provisioning). They need a Prometheus that scrapes the
coordinators ([metrics](metrics.md)). Choose the data source, the namespace and the run above the panels. Outside Kubernetes
there are no namespaces; \`All\` then shows every run.

Annotations on the time axis come from metrics: a coordinator started (process_start_time_seconds), an iteration was
evaluated (fcaenet_evaluation_timestamp_seconds), the run began to wait for workers (fcaenet_waiting_since_seconds). All
other events of a run are in its [events](events.md), in \`events.jsonl\` or on a NATS server.

The JSON files and this page are generated from \`dashboards/source/\`:

\`\`\`sh
npm run dashboards
\`\`\`
`;

/** docs/dashboards.md: what each panel shows. */
export function dashboardPage(dashboards: Readonly<Record<string, Dashboard>>): string {
  return [head, ...Object.entries(dashboards).map(([file, dashboard]) => section(file, dashboard))].join(
    '\n',
  );
}

function section(file: string, { title, description, panels }: Dashboard): string {
  const parts = (panels ?? []).map((panel) => (isRow(panel) ? `\n### ${panel.title}\n\n` : item(panel)));
  return `## ${title}\n\n\`dashboards/${file}\`. ${description}\n${parts.join('')}`;
}

function item({ title, description }: Panel): string {
  return `- **${title}**: ${description}\n`;
}

function isRow(panel: Panel | RowPanel): panel is RowPanel {
  return panel.type === 'row';
}
