/** How a client begins HTTP/2, and so gRPC (RFC 9113, 3.4). */
export const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
