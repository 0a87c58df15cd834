/** What a worker reported about microbatches that it answered, and what the coordinator measured. */
export interface AnswerFigures {
  readonly microbatches: number;
  /** From the moment the work left to the answer, its transfer included; added over devices that computed it. */
  readonly turnaroundSeconds: number;
  readonly computeSeconds: number;
  readonly imageWaitSeconds: number;
}

/** Running totals of one worker while it is a member, or of all workers. */
export class WorkerTally {
  microbatches = 0;
  turnaroundSeconds = 0;
  computeSeconds = 0;
  imageWaitSeconds = 0;
  overdueMicrobatches = 0;
  bytesSent = 0;
  bytesReceived = 0;
  imagesDecoded = 0;
  imagesFromCache = 0;
  overdueFileOperations = 0;
  peerBytesSent = 0;
  peerBytesReceived = 0;

  answered(figures: AnswerFigures): void {
    this.microbatches += figures.microbatches;
    this.turnaroundSeconds += figures.turnaroundSeconds;
    this.computeSeconds += plausible(figures.computeSeconds);
    this.imageWaitSeconds += plausible(figures.imageWaitSeconds);
  }

  /** Totals of the worker's process from its heartbeat. */
  beaten(totals: {
    readonly imagesDecoded: number;
    readonly imagesFromCache: number;
    readonly overdueFileOperations: number;
    readonly peerBytesSent: number;
    readonly peerBytesReceived: number;
  }): void {
    this.imagesDecoded = plausible(totals.imagesDecoded);
    this.imagesFromCache = plausible(totals.imagesFromCache);
    this.overdueFileOperations = plausible(totals.overdueFileOperations);
    this.peerBytesSent = plausible(totals.peerBytesSent);
    this.peerBytesReceived = plausible(totals.peerBytesReceived);
  }
}

/** A worker may send any number. NaN would make a total NaN forever. */
export function plausible(claimed: number): number {
  return Number.isFinite(claimed) && claimed > 0 ? claimed : 0;
}
