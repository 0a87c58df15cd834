import { withConsole } from '../console/console.js';
import { type EncodeRunOptions, encodeRun } from './encode-run.js';

/** `fcaenet encode`: writes the codes of new pictures. Throws the errors of `encodeRun`. */
export async function encode(options: EncodeRunOptions): Promise<void> {
  await withConsole('beside', async (console) => {
    console.log.info('codes written', { ...(await encodeRun(options, console)) });
  });
}
