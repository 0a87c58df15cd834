import type { IncomingMessage, ServerResponse } from 'node:http';
import { FcaenetError, quote } from '../../errors.js';
import type { RunList, RunView } from '../view.js';
import { AnswerPace } from './answer-pace.js';
import { CachedJson, type JsonDocument } from './cached-json.js';
import { ControlDoor, type Door } from './control-door.js';
import { EventStreams, mostStreams } from './event-streams.js';
import { refusalOf } from './guard.js';
import { PageFiles } from './page-files.js';
import { send, sendSentence, sendTagged } from './reply.js';

/** Where the page's runs come from. */
export interface RunSource {
  list(): Promise<RunList>;
  /** Null when there is no such run. */
  view(run: string): Promise<RunView | null>;
  /** How the page controls a run; null when it may not. */
  door(run: string): Door | null;
}

/** Runs whose documents are kept. */
const mostDocuments = 64;

/**
 * The page and its data over HTTP:
 * - `/` and its files
 * - `/api/runs`: the runs (`RunList`)
 * - `/api/runs/NAME`: one run (`RunView`), `/api/runs/NAME/events`: the same as server-sent events
 * - `POST /api/runs/NAME/control`: a control request
 */
export class RunPage {
  private readonly files = new PageFiles();
  private readonly streams = new EventStreams();
  private readonly control = new ControlDoor();
  private readonly pace = new AnswerPace();
  private readonly list: CachedJson;
  private readonly documents = new Map<string, CachedJson>();

  /** @param hosts names besides `localhost` by which the page may be reached */
  constructor(
    private readonly source: RunSource,
    private readonly hosts: readonly string[],
  ) {
    this.list = new CachedJson(() => source.list());
  }

  /** Answers a request. @returns false, without an answer, when the path is none of the page's */
  async answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const api = /^\/api\/runs(?:\/([^/]+)(?:\/(events|control))?)?$/.exec(path);
    if (!api && !(isReading(request) && this.files.has(path))) return false;
    // A link of another site may lead to the page itself.
    const refusal = refusalOf(api ? request.headers : { host: request.headers.host }, this.hosts);
    if (refusal !== null) {
      sendSentence(request, response, 403, refusal);
      return true;
    }
    if (!api) {
      this.files.answer(path, request, response);
      return true;
    }
    const [, name, part] = api;
    if (part === 'control') {
      if (request.method !== 'POST') return false;
      await this.control.answer(this.source.door(decoded(name!)), request, response);
      this.documents.get(name!)?.expire();
      return true;
    }
    if (!isReading(request)) return false;
    await this.show(name, part === 'events', request, response);
    return true;
  }

  /** Tells every open page the last state. */
  close(): Promise<void> {
    return this.streams.close();
  }

  private async show(
    name: string | undefined,
    isStream: boolean,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (!(await this.pace.turn())) {
      sendSentence(request, response, 503, 'too many requests wait for an answer; ask less often');
      return;
    }
    const document = name === undefined ? this.list : this.documentOf(name);
    let made: JsonDocument | null;
    try {
      made = await document.get();
    } catch (error) {
      const sentence = error instanceof FcaenetError ? error.message : 'the run cannot be read';
      sendSentence(request, response, 503, sentence);
      return;
    }
    if (made === null)
      sendSentence(request, response, 404, `there is no run ${quote(decoded(name ?? '') || name!)}`);
    else if (isStream) this.stream(document, request, response);
    else sendTagged(request, response, made.etag, { 'content-type': 'application/json' }, made.body);
  }

  private stream(document: CachedJson, request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'HEAD') send(request, response, 200, {});
    else if (this.streams.isFull) {
      sendSentence(
        request,
        response,
        503,
        `${mostStreams} pages are open already, and no more are updated at once`,
      );
    } else this.streams.open(response, document);
  }

  private documentOf(name: string): CachedJson {
    const known = this.documents.get(name);
    if (known) return known;
    const [oldest] = this.documents.keys();
    if (this.documents.size >= mostDocuments) this.documents.delete(oldest!);
    const document = new CachedJson(() => this.source.view(decoded(name)));
    this.documents.set(name, document);
    return document;
  }
}

function isReading({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The name of a run from a path; one that is not encoded well is no run's. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return '';
  }
}
