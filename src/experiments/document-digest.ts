import { createHash } from 'node:crypto';

/**
 * The text of a JSON document that ends with its own SHA-256, by which a damaged or changed file is recognised. Who changes
 * the digest, too, is not.
 * @param document has no field `sha256`
 */
export function textWithDigest(document: object): string {
  return `${JSON.stringify({ ...document, sha256: digestOf(document) }, null, 2)}\n`;
}

/** Whether a parsed document is as {@link textWithDigest} wrote it. */
export function hasItsDigest(parsed: object): boolean {
  const { sha256, ...document } = parsed as Record<string, unknown>;
  return sha256 === digestOf(document);
}

/** SHA-256 (hex) of the document as JSON without spaces, its fields in their order. */
function digestOf(document: object): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}
