import type { RunView } from '../../live/view.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { controlReplySchema } from '../../transport/control/message.js';
import { askControlSocket } from '../../transport/control/socket.js';

/** What the coordinator of a run says of it now; null when none answers, as after the end of the run. */
export async function activeView(directory: RunDirectory): Promise<RunView | null> {
  if (!directory.isControlled || !directory.isLocked) return null;
  try {
    return viewIn(await askControlSocket(directory.controlSocket, JSON.stringify({ command: 'view' })));
  } catch {
    return null;
  }
}

/** The view in a coordinator's answer; null when it has none, such as that of an older coordinator. */
function viewIn(answer: string): RunView | null {
  const reply = controlReplySchema.parse(JSON.parse(answer));
  return reply.ok && 'view' in reply ? (reply.view as RunView) : null;
}
