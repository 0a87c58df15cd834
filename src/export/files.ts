/** A file of an export. */
export interface ExportedFile {
  /** relative to the export's folder, with `/` as separator */
  readonly name: string;
  /** its bytes, as consecutive pieces */
  readonly pieces: readonly Uint8Array[];
  /** Whether a file with these bytes says the same, so that it may stay; left out where only equal bytes do. */
  readonly agreesWith?: (found: Buffer) => boolean;
}
