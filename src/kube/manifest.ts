import * as z from 'zod';

/** The fields that the checks read. The API server validates the rest, so other fields are ignored. */

const variable = z.looseObject({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .looseObject({ configMapKeyRef: z.looseObject({ name: z.string(), key: z.string() }).optional() })
    .optional(),
});
const container = z.looseObject({
  name: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z.array(variable).default([]),
  ports: z.array(z.looseObject({ name: z.string().optional(), containerPort: z.number() })).default([]),
  volumeMounts: z.array(z.looseObject({ mountPath: z.string() })).default([]),
  resources: z
    .looseObject({ limits: z.record(z.string(), z.union([z.string(), z.number()])).default({}) })
    .default({ limits: {} }),
});
const volume = z.looseObject({
  name: z.string(),
  configMap: z.looseObject({ name: z.string() }).optional(),
});
const labels = z.record(z.string(), z.string()).default({});
const podTemplate = z.looseObject({
  metadata: z.looseObject({ labels }).default({ labels: {} }),
  spec: z.looseObject({ containers: z.array(container).min(1), volumes: z.array(volume).default([]) }),
});
const jobSpec = z.looseObject({
  parallelism: z.number().default(1),
  completions: z.number().default(1),
  suspend: z.boolean().default(false),
  template: podTemplate,
});

export const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
});
export const jobSchema = z.looseObject({ spec: jobSpec });
const jobSetSpec = z.looseObject({
  replicatedJobs: z.array(z.looseObject({ name: z.string(), template: z.looseObject({ spec: jobSpec }) })),
});
export const jobSetSchema = z.looseObject({ spec: jobSetSpec });
/** Both belong to Kubeflow Trainer. */
export const runtimeSchema = z.looseObject({
  spec: z.looseObject({
    mlPolicy: z.looseObject({ numNodes: z.number().optional() }).default({}),
    template: z.looseObject({ spec: jobSetSpec }),
  }),
});
export const trainJobSchema = z.looseObject({
  spec: z.looseObject({
    runtimeRef: z.looseObject({ name: z.string() }),
    trainer: z.looseObject({ numNodes: z.number().optional() }).default({}),
  }),
});
const podSelector = z.looseObject({ matchLabels: labels });
const policyPeers = z.array(
  z.looseObject({ podSelector: podSelector.optional(), namespaceSelector: z.looseObject({}).optional() }),
);
const policyRule = z.looseObject({
  from: policyPeers.optional(),
  to: policyPeers.optional(),
  ports: z
    .array(
      z.looseObject({
        port: z.union([z.number(), z.string()]).optional(),
        endPort: z.number().optional(),
      }),
    )
    .optional(),
});
export const networkPolicySchema = z.looseObject({
  spec: z.looseObject({
    podSelector: podSelector.default({ matchLabels: {} }),
    policyTypes: z.array(z.string()).optional(),
    ingress: z.array(policyRule).optional(),
    egress: z.array(policyRule).optional(),
  }),
});
export const configMapSchema = z.looseObject({ data: z.record(z.string(), z.string()).default({}) });

/** One Kubernetes object. Its other fields depend on its kind. */
export type Manifest = z.output<typeof manifestSchema>;
export type JobSpec = z.output<typeof jobSpec>;
export type PodTemplate = z.output<typeof podTemplate>;
export type NetworkPolicyRule = z.output<typeof policyRule>;
export type Container = z.output<typeof container>;
