import type { Log } from '../../console/log.js';
import type { Door } from '../../live/serve/control-door.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { makeJoinToken } from '../../transport/join-token.js';
import type { RunControl, RunStatus } from '../leadership/run-control.js';

/** Lets the page of a run control it, when the run file allows that and the page's user has the run's control token. */
export class PageControl {
  private control: RunControl | null = null;
  private token: string | null = null;

  constructor(
    private readonly isAllowed: boolean,
    private readonly directory: Pick<
      RunDirectory,
      'writeControlToken' | 'removeControlToken' | 'controlTokenFile'
    >,
    private readonly log: Log,
  ) {}

  /** What control says of the run; null before it is attached. */
  get state(): RunStatus['state'] | null {
    return this.control?.state() ?? null;
  }

  /** Null when the page may only show the run. */
  get door(): Door | null {
    const { token, control } = this;
    return token === null || control === null
      ? null
      : { token, handler: (request) => control.answer(request) };
  }

  /** Connects the run's control. Makes a new token, and writes it where only this user can read it. */
  attach(control: RunControl): void {
    this.control = control;
    if (!this.isAllowed) return;
    const token = makeJoinToken();
    try {
      this.directory.writeControlToken(token);
    } catch (error) {
      // A run without control is better than no run.
      this.log.warn('the page cannot control the run', { reason: (error as Error).message });
      return;
    }
    this.token = token;
    this.log.info('the page may control the run', { token: this.directory.controlTokenFile });
  }

  close(): void {
    if (this.token === null) return;
    try {
      this.directory.removeControlToken(this.token);
    } catch (error) {
      this.log.warn('the control token is not removed', { reason: (error as Error).message });
    }
  }
}
