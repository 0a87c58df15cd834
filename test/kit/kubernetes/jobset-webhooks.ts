/** The webhooks of JobSet that look at JobSets, as its installation registers them, at an address outside the cluster. */
export function jobSetWebhooks(url: string, authority: string): object[] {
  const webhook = (kind: 'mutate' | 'validate', operations: readonly string[]) => ({
    name: `${kind}.jobset.test`,
    admissionReviewVersions: ['v1'],
    clientConfig: { url: `${url}/${kind}-jobset-x-k8s-io-v1alpha2-jobset`, caBundle: authority },
    failurePolicy: 'Fail',
    sideEffects: 'None',
    rules: [
      {
        apiGroups: ['jobset.x-k8s.io'],
        apiVersions: ['v1alpha2'],
        operations,
        resources: ['jobsets'],
      },
    ],
  });
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = { name: 'jobset' };
  return [
    {
      apiVersion,
      kind: 'MutatingWebhookConfiguration',
      metadata,
      webhooks: [webhook('mutate', ['CREATE'])],
    },
    {
      apiVersion,
      kind: 'ValidatingWebhookConfiguration',
      metadata,
      webhooks: [webhook('validate', ['CREATE', 'UPDATE'])],
    },
  ];
}
