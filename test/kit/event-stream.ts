import { connect } from 'nats';
import { parseRunEvent, type RunEvent } from '../../src/transport/events/run-event.js';

/** Every message of the stream of run events, in the stream's order. */
export async function streamedEvents(url: string): Promise<RunEvent[]> {
  const connection = await connect({ servers: url.replace('nats://', '') });
  try {
    const manager = await connection.jetstreamManager();
    const { state } = await manager.streams.info('FCAENET_EVENTS');
    const events: RunEvent[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      events.push(parseRunEvent((await manager.streams.getMessage('FCAENET_EVENTS', { seq })).string())!);
    }
    return events;
  } finally {
    await connection.close();
  }
}
