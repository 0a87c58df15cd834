import { useEffect, useRef, useState } from 'preact/hooks';
import { type PageCommand, pageCommands } from '../live/view.js';
import { knownToken, rememberToken } from './token.js';
import { pathOf } from './use-run.js';

interface ConfirmationProps {
  readonly run: string;
  readonly request: { readonly command: PageCommand; readonly worker?: string };
  readonly title: string;
  readonly onClose: () => void;
}

/** Asks whether a request is meant, and for the control token. Sends it, and says what came of it. */
export function Confirmation({ run, request, title, onClose }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setToken] = useState(knownToken());
  const [isSending, setSending] = useState(false);
  const [outcome, setOutcome] = useState<{ readonly isDone: boolean; readonly text: string } | null>(null);
  useEffect(() => dialog.current?.showModal(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    setSending(true);
    setOutcome(null);
    const answer = await send(run, request, token.trim());
    setSending(false);
    setOutcome(answer);
    if (answer.isDone) rememberToken(token.trim());
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="confirmation-title">
      <form onSubmit={submit}>
        <h2 id="confirmation-title">{title}</h2>
        <p>
          This {pageCommands[request.command]}. Run: <strong>{run}</strong>
        </p>
        {outcome?.isDone ? null : (
          <label>
            Control token
            <input
              type="password"
              autocomplete="off"
              required
              value={token}
              onInput={({ currentTarget }) => setToken(currentTarget.value)}
            />
            <span class="quiet">It is in the file control-token of the run directory.</span>
          </label>
        )}
        <p role="status" class={outcome?.isDone ? 'done' : 'reason'}>
          {isSending ? 'Asking the coordinator…' : outcome?.text}
        </p>
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            {outcome?.isDone ? 'Close' : 'Cancel'}
          </button>
          {outcome?.isDone ? null : (
            <button type="submit" class="primary" disabled={isSending}>
              Yes
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}

async function send(
  run: string,
  request: object,
  token: string,
): Promise<{ readonly isDone: boolean; readonly text: string }> {
  // A header holds no other letters, and the browser's own words for that say nothing.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return { isDone: false, text: 'The token must be letters, digits or signs without spaces.' };
  }
  const response = await fetch(`${pathOf(run)}/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
  }).catch(() => null);
  if (response === null) return { isDone: false, text: 'The coordinator does not answer.' };
  const reply = (await response.json().catch(() => ({}))) as { message?: string; checkpoint?: string };
  if (!response.ok)
    return { isDone: false, text: sentence(reply.message ?? `the answer is ${response.status}`) };
  return { isDone: true, text: reply.checkpoint ? `Checkpoint ${reply.checkpoint} is written.` : 'Done.' };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
