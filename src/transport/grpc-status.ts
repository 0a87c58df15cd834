import type { OutgoingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';

/** The media type of gRPC's streams (`content-type`). */
export const grpcType = 'application/grpc';

/** How a gRPC call has ended. */
export interface GrpcStatus {
  readonly code: status;
  readonly message: string;
}

/** The headers of an answer, before its messages. */
export const answerHeaders: OutgoingHttpHeaders = { ':status': 200, 'content-type': grpcType };

/** What follows the messages of an answer. */
export function trailersOfStatus({ code, message }: GrpcStatus): OutgoingHttpHeaders {
  return { 'grpc-status': String(code), 'grpc-message': encodeURI(wellFormed(message)) };
}

/** The only headers of an answer that has no message. */
export function headersOfStatus(how: GrpcStatus): OutgoingHttpHeaders {
  return { ...answerHeaders, ...trailersOfStatus(how) };
}

/** The inverse of {@link headersOfStatus} and {@link trailersOfStatus}, with {@link status.UNKNOWN} where headers have no status of gRPC. */
export function statusIn(headers: { readonly [name: string]: unknown }): GrpcStatus {
  const code = Number(headers['grpc-status'] ?? status.UNKNOWN);
  const message = String(headers['grpc-message'] ?? `it answers with HTTP status ${headers[':status']}`);
  try {
    return { code, message: decodeURI(message) };
  } catch {
    return { code, message };
  }
}

/** UTF-8 has no half of a character, which URIs refuse. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
