import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { prometheusMissing } from '../kit/prometheus-server.js';
import { alerts, readRules, ruleFile } from './sources.js';

const component = 'deploy/components/prometheus';
const text = readFileSync(ruleFile, 'utf8');

test('the operator gets the same rules', () => {
  const { spec } = parse(readFileSync(`${component}/prometheus-rule.yaml`, 'utf8')) as { spec: unknown };
  expect(spec).toEqual(parse(text));
});

test('the pods that are scraped are coordinators', () => {
  const [monitor] = parseAllDocuments(readFileSync(`${component}/pod-monitor.yaml`, 'utf8'));
  expect(monitor!.toJS()).toMatchObject({
    kind: 'PodMonitor',
    spec: {
      selector: {
        matchLabels: { 'app.kubernetes.io/name': 'fcaenet', 'app.kubernetes.io/component': 'coordinator' },
      },
      podMetricsEndpoints: [{ port: 'metrics', path: '/metrics' }],
    },
  });
});

describe.each(alerts())('$alert', ({ alert, labels, annotations }) => {
  test('says how bad it is, what it is, and what to do', () => {
    expect(['warning', 'critical']).toContain(labels?.severity);
    expect(Object.keys(annotations ?? {}).sort()).toEqual(['description', 'runbook_url', 'summary']);
  });

  test('has a runbook', () => {
    const page = `docs/runbooks/${alert}.md`;
    expect(annotations?.runbook_url).toBe(page);
    const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => match[1]);
    expect(headings).toEqual([alert, 'What to look at', 'What to do']);
  });

  test('has a unit test in which it fires', () => {
    const { tests } = parse(readFileSync('deploy/prometheus/rules.test.yaml', 'utf8')) as {
      tests: { alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const cases = tests.flatMap((each) => each.alert_rule_test ?? []);
    const outcomes = cases
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length);
    expect(new Set(outcomes)).toEqual(new Set([0, 1]));
  });
});

test('docs/metrics.md lists the alerts, how bad they are and where to read on', () => {
  const rows = [
    ...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| \[(\w+)\]\(runbooks\/(\w+)\.md\) +\| (\w+) /gm),
  ].map(([, name, page, severity]) => [name, page, severity]);
  expect(rows).toEqual(alerts().map(({ alert, labels }) => [alert, alert, labels!.severity]));
});

test('there are no runbooks without an alert', () => {
  const pages = readdirSync('docs/runbooks').map((name) => name.replace(/\.md$/, ''));
  expect(pages.sort()).toEqual(
    alerts()
      .map(({ alert }) => alert!)
      .sort(),
  );
});

test('recorded names follow Prometheus: level:metric:operations', () => {
  const records = readRules().flatMap(({ record }) => record ?? []);
  expect(records.filter((name) => !/^fcaenet:[a-z_]+:[a-z0-9_]+$/.test(name))).toEqual([]);
});

test.skipIf(prometheusMissing !== '')(`promtool accepts rules and configuration${prometheusMissing}`, () => {
  for (const args of [
    ['check', 'config', 'prometheus.yaml'],
    ['test', 'rules', 'rules.test.yaml'],
  ]) {
    const { status, stderr, stdout } = spawnSync('promtool', args, {
      cwd: 'deploy/prometheus',
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  }
});

const schemas = '../shared/k8s-schemas';
const schemaMissing = existsSync(schemas) ? '' : ' (skipped: there is no ../shared/k8s-schemas)';

describe.skipIf(schemaMissing !== '')(`published schemas${schemaMissing}`, () => {
  test.each([
    ['pod-monitor.yaml', 'podmonitor.crd.yaml'],
    ['prometheus-rule.yaml', 'prometheusrule.crd.yaml'],
  ])('%s is what the operator accepts', (file, crd) => {
    const schema = readSchema(crd);
    const object = parse(readFileSync(`${component}/${file}`, 'utf8')) as { spec: Record<string, unknown> };
    expect(unknownFields(object.spec, schema)).toEqual([]);
    expect(unknownFields({ ...object.spec, podMonitorEndpoints: [] }, schema)).toEqual([
      'podMonitorEndpoints',
    ]);
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
}

function readSchema(crd: string): Schema {
  const { spec } = parse(readFileSync(`${schemas}/${crd}`, 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  return spec.versions[0]!.schema.openAPIV3Schema.properties!.spec!;
}

/** Paths of fields that the schema does not know, and of those that it misses. */
function unknownFields(value: unknown, schema: Schema, path: string[] = []): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => unknownFields(item, schema.items ?? {}, [...path, String(index)]));
  }
  if (typeof value !== 'object' || value === null) return [];
  const fields = Object.entries(value);
  const missing = (schema.required ?? [])
    .filter((name) => !(name in value))
    .map((name) => [...path, name].join('.'));
  return [
    ...missing,
    ...fields.flatMap(([name, inner]) => {
      const at = [...path, name];
      const known = schema.properties?.[name];
      if (known) return unknownFields(inner, known, at);
      const others = schema.additionalProperties;
      if (others) return typeof others === 'object' ? unknownFields(inner, others, at) : [];
      return schema.properties ? [at.join('.')] : [];
    }),
  ];
}
