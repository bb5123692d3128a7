import { idKinds, isId } from '@writ/kernel';

/** What a fact is about, found without knowing its type. */
export interface Subjects {
  /** Every id the fact names, each once, in the order of appearance. */
  readonly ids: readonly string[];
  /** The task it says it belongs to, empty when it names none. */
  readonly task: string;
}

const DEPTH_MAX = 32;
const ID_CHARACTERS = 30;

/**
 * Walks a decoded message. A string counts when it is an id, or ends in one behind `:` or `/`, as limit keys
 * (`mandate:mdt_…`) and SPIFFE IDs do. Ids within free text do not count: whoever writes a reason could file
 * the fact under somebody else.
 */
export function subjectsOf(message: unknown): Subjects {
  const ids = new Set<string>();
  collect(message, ids, 0);
  return { ids: [...ids], task: taskOf(message) };
}

function collect(value: unknown, ids: Set<string>, depth: number): void {
  if (typeof value === 'string') {
    const end = value.length - ID_CHARACTERS;
    if (end < 0 || (end > 0 && !/[:/]/.test(value.charAt(end - 1)))) return;
    const last = value.slice(end);
    if (isAnyId(last)) ids.add(last);
    return;
  }
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  if (value instanceof Date || ArrayBuffer.isView(value)) return;
  for (const member of Object.values(value)) collect(member, ids, depth + 1);
}

function isAnyId(text: string): boolean {
  const kind = text.slice(0, 3);
  return isKind(kind) && isId(kind, text);
}

function isKind(kind: string): kind is keyof typeof idKinds {
  return Object.hasOwn(idKinds, kind);
}

function taskOf(message: unknown): string {
  if (typeof message !== 'object' || message === null || !('task' in message)) return '';
  return typeof message.task === 'string' ? message.task : '';
}
