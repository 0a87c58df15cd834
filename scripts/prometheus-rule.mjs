// Writes the alerts and recording rules of deploy/prometheus/ as an object of the Prometheus operator.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib.mjs';

const source = 'deploy/prometheus/rules.yaml';
const target = 'deploy/components/prometheus/prometheus-rule.yaml';

const head = `# Written by \`npm run rules\` from ${source}.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: fcaenet
  labels: { app.kubernetes.io/name: fcaenet }
spec:
`;

/** The text of a PrometheusRule with the rules of a Prometheus rule file. Both are YAML, one inside the other. */
export function prometheusRule(rules) {
  const body = rules.slice(rules.indexOf('groups:'));
  return head + body.replace(/^(?=.)/gm, '  ');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(join(root, target), prometheusRule(readFileSync(join(root, source), 'utf8')));
}
