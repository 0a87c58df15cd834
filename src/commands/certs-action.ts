import { openConsole } from '../console/console.js';
import { makeCertificates } from '../transport/certificates.js';
import type { MakeCertificatesOptions } from './certs.js';

/** `fcaenet certs make`. Throws the errors of `makeCertificates`. */
export async function makeCerts(options: MakeCertificatesOptions): Promise<void> {
  const console = openConsole('beside');
  try {
    await makeCertificates({ ...options, nowMs: Date.now() });
    console.log.info('certificates ready', { ...options });
  } finally {
    console.close();
  }
}
