import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Log } from '../../console/log.js';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import type { RunSource } from '../../live/serve/run-page.js';
import { summaryOf } from '../../live/summary.js';
import type { RunList, RunView } from '../../live/view.js';
import { RunFileError } from '../../run/error.js';
import { RunDirectory } from '../../run/run-directory.js';
import { runName } from '../../run/schema.js';
import { activeView } from './active-run.js';
import { storedView } from './stored-run.js';

/** The runs of a folder for the page: active ones as their coordinators see them, the others from their files. */
export class FolderRuns implements RunSource {
  /** What was read of a run, and the times of its files then. */
  private readonly known = new Map<string, { readonly stamp: string; readonly view: RunView }>();
  private readonly unreadable = new Set<string>();

  private constructor(
    private readonly folder: string,
    /** The only run that is shown; null shows all. */
    private readonly only: string | null,
    private readonly log: Log,
  ) {}

  /**
   * @param path a folder of runs, or one run's directory
   * @throws RunFileError RUN_ABSENT when the folder cannot be read
   */
  static async open(path: string, log: Log): Promise<FolderRuns> {
    if (RunDirectory.at(path).isRun) {
      const whole = resolve(path);
      return new FolderRuns(dirname(whole), basename(whole), log);
    }
    const runs = new FolderRuns(path, null, log);
    await runs.names();
    return runs;
  }

  async list(): Promise<RunList> {
    const views: RunView[] = [];
    for (const name of await this.names()) {
      try {
        const view = await this.view(name);
        if (view) views.push(view);
      } catch (error) {
        this.warnOnce(name, error);
      }
    }
    return { server: 'folder', runs: views.map(summaryOf) };
  }

  async view(name: string): Promise<RunView | null> {
    // A name has no slash and no dot at its beginning, so it leads nowhere else.
    if (!runName.test(name) || (this.only !== null && name !== this.only)) return null;
    const path = join(this.folder, name);
    const directory = RunDirectory.at(path);
    if (!directory.isRun) return null;
    const active = await activeView(directory);
    // The page of this folder only shows runs. That of a run itself may control it.
    if (active) return { ...active, run: name, control: false };
    const stamp = `${directory.isLocked} ${stampOf(directory)}`;
    const known = this.known.get(name);
    if (known?.stamp === stamp) return known.view;
    const view = { ...(await storedView(path)), run: name };
    this.known.set(name, { stamp, view });
    return view;
  }

  door(): null {
    return null;
  }

  private async names(): Promise<string[]> {
    if (this.only !== null) return [this.only];
    const names = await disk.readdir(this.folder).catch((cause: NodeJS.ErrnoException) => {
      throw new RunFileError(
        'RUN_ABSENT',
        `the folder of runs ${this.folder} cannot be read (${cause.code})`,
        ExitCode.missingInput,
        { cause },
      );
    });
    return names.filter((name) => runName.test(name)).sort();
  }

  private warnOnce(name: string, error: unknown): void {
    if (this.unreadable.has(name)) return;
    this.unreadable.add(name);
    const reason = error instanceof Error ? error.message : String(error);
    this.log.warn('a run cannot be read', { path: join(this.folder, name), reason });
  }
}

/** Changes whenever something was written that is shown. */
function stampOf({ runFile, resultFile, eventsFile, checkpoints, path }: RunDirectory): string {
  const files = [runFile, resultFile, eventsFile, checkpoints, join(path, 'terms')];
  return files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).join(' ');
}
