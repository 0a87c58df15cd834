import { useState } from 'preact/hooks';
import type { PageCommand, RunView } from '../live/view.js';
import { Confirmation } from './confirmation.js';

const titles = {
  pause: 'Pause',
  resume: 'Continue',
  checkpoint: 'Checkpoint now',
  stop: 'Stop',
} as const;
type RunCommand = Exclude<PageCommand, 'drain'>;

/** What can be asked of a run in its state. */
export function Controls({ view }: { readonly view: RunView }) {
  const [asked, setAsked] = useState<RunCommand | null>(null);
  const isHeld = view.state === 'paused' || view.state === 'pausing';
  const commands: RunCommand[] = [isHeld ? 'resume' : 'pause', 'checkpoint', 'stop'];
  return (
    <section class="controls" aria-label="Control">
      {commands.map((command) => (
        <button
          key={command}
          type="button"
          class={command === 'stop' ? 'danger' : ''}
          disabled={view.state === 'stopping'}
          onClick={() => setAsked(command)}
        >
          {titles[command]}
        </button>
      ))}
      {asked !== null && (
        <Confirmation
          run={view.run}
          request={{ command: asked }}
          title={`${titles[asked]}?`}
          onClose={() => setAsked(null)}
        />
      )}
    </section>
  );
}
