import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type PodRecord } from '../kit/kubernetes/cluster.js';
import { find, kubectlMissing } from '../kit/kubernetes/kustomize.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import { TableRow } from '../kit/kubernetes/table-row.js';

const missing = kubectlMissing || podsMissing;

describe.skipIf(missing !== '')(`a row of a table as Jobs${missing}`, () => {
  let row: TableRow;
  beforeAll(async () => {
    row = await TableRow.make();
  });
  afterAll(() => row?.remove());

  test('evicted, killed and suspended runs go on, and the table is that of one command elsewhere', async () => {
    const elsewhere = await row.elsewhere();
    const manifests = await row.build();
    const cluster = new Cluster(manifests, {});
    try {
      row.provide(cluster);
      const verdicts = (records: readonly PodRecord[]) =>
        records
          .map(({ verdict, ending }) => `${ending.exitCode} ${verdict}`)
          .filter((each) => each !== '73 Count');
      const start = async (bits: number) => {
        const ended = cluster.runIndex(TableRow.job(bits), 0);
        const pod = await cluster.pod(TableRow.job(bits));
        await pod.line('checkpoint written');
        return { pod, ended };
      };

      // One after the other, as a queue with room for one starts them.
      const evicted = await start(12);
      expect(await evicted.pod.terminate()).toMatchObject({ exitCode: 75 });
      expect(verdicts(await evicted.ended)).toEqual(['75 Ignore', '0 Succeeded']);

      const killed = await start(24);
      killed.pod.kill();
      expect(verdicts(await killed.ended)).toEqual(['137 Count', '0 Succeeded']);

      const suspended = cluster.start(find(manifests, 'Job', TableRow.job(32)));
      await suspended.line('checkpoint written');
      expect(await suspended.terminate()).toMatchObject({ exitCode: 75 });
      expect(verdicts(await cluster.runIndex(TableRow.job(48), 0))).toEqual(['0 Succeeded']);
      const again = cluster.runIndex(TableRow.job(32), 0);
      await (await cluster.pod(TableRow.job(32), 1)).line('resuming');
      expect(verdicts(await again)).toEqual(['0 Succeeded']);

      expect(await row.collect(cluster)).toEqual(elsewhere);
    } finally {
      await cluster.remove();
    }
  });
});
