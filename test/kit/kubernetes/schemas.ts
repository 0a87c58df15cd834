import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { parseAllDocuments } from 'yaml';
import type { Manifest } from './kustomize.js';

export const customResourceFolder = fileURLToPath(new URL('../../../../shared/k8s-schemas', import.meta.url));
const openApi = 'kubernetes-openapi.json';
const customResources = [
  'jobset.crd.yaml',
  'kueue-clusterqueue.crd.yaml',
  'kueue-localqueue.crd.yaml',
  'kueue-resourceflavor.crd.yaml',
  'podmonitor.crd.yaml',
  'prometheusrule.crd.yaml',
  'trainer-clustertrainingruntime.crd.yaml',
  'trainer-trainjob.crd.yaml',
];

/** Empty where the published schemas lie beside the project; else why tests that need them are skipped. */
export const schemasMissing = existsSync(join(customResourceFolder, openApi))
  ? ''
  : ' (skipped: there are no published schemas in ../shared/k8s-schemas)';

type Schema = { [keyword: string]: unknown };

/** Checks objects as an API server with strict field validation does: types, required fields, no unknown ones. */
export class PublishedSchemas {
  private readonly ajv = new Ajv({
    strict: false,
    validateFormats: false,
    allErrors: true,
    code: { regExp: goRegExp },
  });
  /** Reference or schema of each kind, by `apiVersion/kind`. */
  private readonly kinds = new Map<string, Schema>();
  private readonly validators = new Map<string, ValidateFunction>();

  constructor() {
    const { definitions } = JSON.parse(readFileSync(join(customResourceFolder, openApi), 'utf8')) as {
      definitions: Record<string, Schema>;
    };
    this.ajv.addSchema({ $id: 'kubernetes', definitions: closed(definitions) as Schema });
    for (const [name, schema] of Object.entries(definitions)) {
      for (const { group, version, kind } of (schema['x-kubernetes-group-version-kind'] ?? []) as Kind[]) {
        const apiVersion = group === '' ? version : `${group}/${version}`;
        this.kinds.set(`${apiVersion}/${kind}`, { $ref: `kubernetes#/definitions/${name}` });
      }
    }
    for (const file of customResources) this.addCustomResource(file);
  }

  /** What is wrong with the object, one sentence each; empty where nothing is. */
  complaints(manifest: Manifest): string[] {
    const kind = `${manifest.apiVersion}/${manifest.kind}`;
    const schema = this.kinds.get(kind);
    if (schema === undefined) return [`there is no kind ${kind}`];
    let validate = this.validators.get(kind);
    if (!validate) {
      validate = this.ajv.compile(schema);
      this.validators.set(kind, validate);
    }
    return validate(manifest) ? [] : (validate.errors ?? []).map(describe);
  }

  private addCustomResource(file: string): void {
    for (const document of parseAllDocuments(readFileSync(join(customResourceFolder, file), 'utf8'))) {
      const definition = document.toJS() as Manifest | null;
      if (definition?.kind !== 'CustomResourceDefinition') continue;
      const { group, names, versions } = definition.spec;
      for (const { name: version, schema } of versions) {
        const { properties, ...rest } = schema.openAPIV3Schema;
        const metadata = { $ref: 'kubernetes#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
        this.kinds.set(
          `${group}/${version}/${names.kind}`,
          closed({ ...rest, properties: { ...properties, metadata } }) as Schema,
        );
      }
    }
  }
}

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The schema with unknown fields refused wherever fields are listed, and Kubernetes' own types spelt out. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const given = schema as Schema;
  if (given['x-kubernetes-int-or-string'] === true || given.format === 'int-or-string') {
    return { type: ['string', 'integer'] };
  }
  const result = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, closed(value)]));
  const listsFields =
    typeof given.properties === 'object' && (given.type === 'object' || given.type === undefined);
  if (listsFields && !isField(given) && given.additionalProperties === undefined) {
    if (given['x-kubernetes-preserve-unknown-fields'] !== true) result.additionalProperties = false;
  }
  return result;
}

/** A map of fields may have a field named `properties` itself: that is no list of fields. */
function isField({ properties }: Schema): boolean {
  return '$ref' in (properties as Schema) || typeof (properties as Schema).type === 'string';
}

function describe({ instancePath, message, params }: ErrorObject): string {
  const field = (params as { additionalProperty?: string }).additionalProperty;
  return `${instancePath || '/'} ${message}${field === undefined ? '' : `: ${field}`}`;
}

/** Patterns of custom resources are Go's, which may begin with `(?i)` where JavaScript has the flag `i`. */
function goRegExp(pattern: string, flags: string): RegExp {
  const anyCase = pattern.includes('(?i)');
  return new RegExp(pattern.replace('(?i)', ''), anyCase ? `${flags}i` : flags);
}
goRegExp.code = 'goRegExp';
