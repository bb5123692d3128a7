import { Injectable } from '@nestjs/common';
import type { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { CommandHandler, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { sessionFacts } from './session.facts.js';
import { sessionDecider } from './session.js';
import { SessionView } from './session.view.js';

/** Ends sessions for reasons that are not their agent's own. Ending twice is harmless, so redelivery is too. */
@Injectable()
export class SessionEnding {
  constructor(
    private readonly commands: CommandHandler,
    private readonly sessions: SessionView,
  ) {}

  async end(sessionIds: readonly string[], cause: SessionEndCause, call: Call, tx?: Tx): Promise<void> {
    for (const sessionId of sessionIds) {
      const agentId = (await this.sessions.find(sessionId))?.opened.agentId ?? sessionId;
      await this.commands.handle(
        {
          decider: sessionDecider,
          facts: sessionFacts,
          streamId: `session-${sessionId}`,
          kind: 'session',
          partKey: agentId,
          command: { type: 'EndSession', sessionId, cause },
          call: { ...call, requestId: '' },
        },
        tx,
      );
    }
  }
}
