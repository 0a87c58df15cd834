import { wordsOfSeconds } from '../live/words.js';
import type { Link } from './connection.js';

interface LinkStateProps {
  readonly link: Link;
  readonly nowMs: number;
  /** Whether nothing more is expected of the run. */
  readonly isRunOver: boolean;
}

/** Says whether what is shown is the present state. */
export function LinkState({ link, nowMs, isRunOver }: LinkStateProps) {
  const [tone, text] = wordsOf(link, nowMs, isRunOver);
  return (
    <p class={`link ${tone}`} role="status">
      {text}
    </p>
  );
}

function wordsOf(link: Link, nowMs: number, isRunOver: boolean): [tone: string, text: string] {
  switch (link.kind) {
    case 'connecting':
      return ['quiet', 'Connecting…'];
    case 'live':
      if (isRunOver) return ['quiet', 'This is the last state.'];
      return link.isBack ? ['good', 'The coordinator is back.'] : ['quiet', 'Live'];
    case 'asking':
      return ['quiet', 'Many pages are open, so this one is updated every 5 s.'];
    case 'ended':
      return ['quiet', 'The coordinator has ended. This is the last state.'];
    case 'gone':
      return [
        'bad',
        `The coordinator has been gone for ${wordsOfSeconds((nowMs - link.sinceMs) / 1000)}. Trying again… Below is the last state that is known.`,
      ];
  }
}
