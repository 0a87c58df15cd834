import { isOver, type RunView } from '../live/view.js';

/**
 * How the page gets news of a run.
 * - `live`: by events. `isBack` for some seconds after the coordinator was gone.
 * - `asking`: too many pages are open, so this one asks from time to time.
 * - `refused`: the server answers, but not with the run, such as one that is not in its folder. The page keeps trying.
 * - `gone`: nobody answers. The page keeps trying.
 * - `ended`: the coordinator ended as it said. A later one may continue the run.
 */
export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live'; readonly isBack: boolean }
  | { readonly kind: 'asking' }
  | { readonly kind: 'refused'; readonly sentence: string }
  | { readonly kind: 'gone'; readonly sinceMs: number }
  | { readonly kind: 'ended' };

export interface Follower {
  onView(view: RunView): void;
  onLink(link: Link): void;
  /** Milliseconds by which the server's clock is ahead of this one's. */
  onClock(aheadMs: number): void;
}

/** The server sends something every 3 s. */
const silenceMs = 10_000;
const retryMs = 2_000;
const askEveryMs = 5_000;
const backMs = 6_000;

/**
 * Follows a run until it is stopped, whatever happens to the coordinator.
 * @param path of the run, `/api/runs/NAME`
 * @returns stops
 */
export function follow(path: string, follower: Follower): () => void {
  let source: EventSource | null = null;
  let link: Link = { kind: 'connecting' };
  let lastView: RunView | null = null;
  let heardMs = Date.now();
  let retry: number | undefined;
  let isStopped = false;

  const become = (next: Link) => {
    link = next;
    follower.onLink(next);
  };
  const heard = () => {
    heardMs = Date.now();
    if (link.kind === 'live') return;
    const wasAway = link.kind === 'gone' || link.kind === 'ended';
    become({ kind: 'live', isBack: wasAway });
    if (wasAway) setTimeout(() => link.kind === 'live' && become({ kind: 'live', isBack: false }), backMs);
  };
  const take = (text: string) => {
    lastView = JSON.parse(text) as RunView;
    follower.onView(lastView);
  };
  const lost = () => {
    source?.close();
    source = null;
    if (isStopped) return;
    if (lastView !== null && isOver(lastView.state)) become({ kind: 'ended' });
    else if (link.kind !== 'gone') become({ kind: 'gone', sinceMs: Date.now() });
    clearTimeout(retry);
    retry = setTimeout(open, retryMs) as unknown as number;
  };
  const ask = async () => {
    const response = await fetch(path).catch(() => null);
    if (isStopped) return;
    if (response === null) return lost();
    if (!response.ok) {
      // A proxy in front of a coordinator that is gone answers with a page of its own.
      if (!response.headers.get('content-type')?.startsWith('text/plain')) return lost();
      const sentence = (await response.text()).trim();
      if (isStopped) return;
      become({ kind: 'refused', sentence });
      retry = setTimeout(open, askEveryMs) as unknown as number;
      return;
    }
    heardMs = Date.now();
    take(await response.text());
    become({ kind: 'asking' });
    retry = setTimeout(open, askEveryMs) as unknown as number;
  };
  const open = () => {
    let hasBegun = false;
    source = new EventSource(`${path}/events`);
    source.addEventListener('run', ({ data }) => {
      hasBegun = true;
      take(data);
      heard();
    });
    source.addEventListener('beat', ({ data }) => {
      follower.onClock(Number(data) - Date.now());
      heard();
    });
    source.addEventListener('error', () => {
      const isRefused = source?.readyState === EventSource.CLOSED && !hasBegun;
      // The status of a refusal is not told, so the run itself is asked for.
      if (isRefused) {
        source = null;
        void ask();
      } else lost();
    });
  };
  const watchdog = setInterval(() => {
    if (source !== null && Date.now() - heardMs > silenceMs) {
      heardMs = Date.now();
      lost();
    }
  }, 1_000);
  open();
  return () => {
    isStopped = true;
    clearInterval(watchdog);
    clearTimeout(retry);
    source?.close();
  };
}
