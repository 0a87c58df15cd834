import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { headersOfStatus, statusIn } from '../../src/transport/grpc-status.js';

test.each(['', 'a peer is of term 2 of a run, expected 100 % of Vögel', 'two\nlines: 鳥'])(
  'a status comes back from its headers: %j',
  (message) => {
    const { ':status': http, ...headers } = headersOfStatus({ code: status.INVALID_ARGUMENT, message });
    expect(http).toBe(200);
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(statusIn(sent)).toEqual({ code: status.INVALID_ARGUMENT, message });
  },
);

test('half of a character is replaced', () => {
  const headers = headersOfStatus({ code: status.OK, message: 'a\ud800b' });
  expect(statusIn({ 'grpc-message': String(headers['grpc-message']) }).message).toBe('a\ufffdb');
});

test('a message that is wrongly encoded is kept as it is', () => {
  expect(statusIn({ 'grpc-status': '3', 'grpc-message': '100 %' })).toEqual({ code: 3, message: '100 %' });
});

test('an answer without a status is unknown', () => {
  expect(statusIn({ ':status': 404 })).toEqual({
    code: status.UNKNOWN,
    message: 'it answers with HTTP status 404',
  });
});
