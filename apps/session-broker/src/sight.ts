import { Injectable } from '@nestjs/common';
import type { Call } from '@writ/kernel';
import { type Role, RoleDirectory } from '@writ/service';

const readers: readonly Role[] = ['admin', 'operator', 'auditor', 'security'];

/** Access row of everything that the people and agents concerned may read beside those who may read all. */
export const sightAccess = [
  'role:admin',
  'role:operator',
  'role:auditor',
  'role:security',
  'role:sponsor',
  'agent',
] as const;

/**
 * What a caller may see: everything; what its own agent id is on; or what it answers for, as the person at the root. An
 * empty id does not narrow.
 */
export interface Sight {
  readonly agentId: string;
  readonly personId: string;
}

/** Who sees what, and who may do to others' things what else only their owners may. */
@Injectable()
export class Sights {
  constructor(private readonly roles: RoleDirectory) {}

  async of({ caller }: Call): Promise<Sight> {
    if (caller.kind === 'agent') return { agentId: caller.id, personId: '' };
    return { agentId: '', personId: (await this.holdsAny(caller.id, readers)) ? '' : caller.id };
  }

  async holdsAny(personId: string, wanted: readonly Role[]): Promise<boolean> {
    const held = await this.roles.rolesOf(personId);
    return wanted.some((role) => held.has(role));
  }
}

/** Whether something with these agents and this person at its root is in sight. */
export function sees(
  { agentId, personId }: Sight,
  parties: { readonly agentIds: readonly string[]; readonly personId: string },
): boolean {
  return (
    (agentId === '' || parties.agentIds.includes(agentId)) &&
    (personId === '' || parties.personId === personId)
  );
}
