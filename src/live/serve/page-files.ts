import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { entityTag, sendTagged } from './reply.js';

/** Where the build puts the page, seen from src/live/serve/ and from dist/live/serve/. */
export const pageFolder = new URL('../../../dist/page/', import.meta.url);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly body: Buffer;
  readonly zipped: Buffer;
}

/** The files of the page, read once. No path of a request reaches the disk. */
export class PageFiles {
  private read: ReadonlyMap<string, PageFile> | null = null;

  has(path: string): boolean {
    return this.find(path) !== undefined;
  }

  /** Sends a file that the page has. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const file = this.find(path)!;
    const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const headers = {
      'content-type': file.type,
      vary: 'accept-encoding',
      ...(isZipped && { 'content-encoding': 'gzip' }),
    };
    sendTagged(request, response, file.etag, headers, isZipped ? file.zipped : file.body);
  }

  private find(path: string): PageFile | undefined {
    this.read ??= readPage();
    return this.read.get(path === '/' ? '/index.html' : path);
  }
}

function readPage(): ReadonlyMap<string, PageFile> {
  const files = readdirSync(pageFolder).flatMap((name): [string, PageFile][] => {
    const type = types[extname(name)];
    if (type === undefined) return [];
    const body = readFileSync(new URL(name, pageFolder));
    return [[`/${name}`, { type, etag: entityTag(body), body, zipped: gzipSync(body, { level: 9 }) }]];
  });
  return new Map(files);
}
