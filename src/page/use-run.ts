import { useEffect, useState } from 'preact/hooks';
import type { RunView } from '../live/view.js';
import { follow, type Link } from './connection.js';

export interface FollowedRun {
  /** Null before the first answer. */
  readonly view: RunView | null;
  readonly link: Link;
  /** The server's time, Unix time in milliseconds. It advances each second. */
  readonly nowMs: number;
}

export function pathOf(name: string): string {
  return `/api/runs/${encodeURIComponent(name)}`;
}

/** Follows a run while the component is there. */
export function useRun(name: string): FollowedRun {
  const [view, onView] = useState<RunView | null>(null);
  const [link, onLink] = useState<Link>({ kind: 'connecting' });
  const [aheadMs, onClock] = useState(0);
  const [clockMs, setClock] = useState(Date.now());
  useEffect(() => follow(pathOf(name), { onView, onLink, onClock }), [name]);
  useEffect(() => {
    const timer = setInterval(() => setClock(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return { view, link, nowMs: clockMs + aheadMs };
}
