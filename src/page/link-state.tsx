import { wordsOfSeconds } from '../live/words.js';
import type { Link } from './connection.js';

interface LinkStateProps {
  readonly link: Link;
  readonly nowMs: number;
  /** Whether nothing more is expected of the run. */
  readonly isRunOver: boolean;
  /** Who serves the page. */
  readonly server: 'coordinator' | 'server of this page';
}

/** Says whether what is shown is the present state. */
export function LinkState({ link, nowMs, isRunOver, server }: LinkStateProps) {
  const [tone, text] = wordsOf(link, isRunOver, server);
  return (
    <p class={`link ${tone}`}>
      {/* What changes each second is not read aloud each second. */}
      <span role="status">{text}</span>
      {link.kind === 'gone' && ` It has been gone for ${wordsOfSeconds((nowMs - link.sinceMs) / 1000)}.`}
    </p>
  );
}

function wordsOf(
  link: Link,
  isRunOver: boolean,
  server: LinkStateProps['server'],
): [tone: string, text: string] {
  switch (link.kind) {
    case 'connecting':
      return ['quiet', 'Connecting…'];
    case 'live':
      if (isRunOver) return ['quiet', 'This is the last state.'];
      return link.isBack ? ['good', `The ${server} is back.`] : ['quiet', 'Live'];
    case 'asking':
      return ['quiet', 'Many pages are open, so this one is updated every 5 s.'];
    case 'refused':
      return ['bad', `The ${server} says: ${link.sentence}. Trying again…`];
    case 'ended':
      return ['quiet', `The ${server} has ended. This is the last state.`];
    case 'gone':
      return ['bad', `The ${server} is gone. Below is the last state that is known; trying again…`];
  }
}
