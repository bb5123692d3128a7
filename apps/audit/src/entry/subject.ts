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
const KIND_CHARACTERS = 3;

type Members = Readonly<Record<string, unknown>>;

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
    // Most strings are no ids: that is found out before anything is cut off.
    if (end < 0 || value.charAt(end + KIND_CHARACTERS) !== '_') return;
    if (end > 0 && !isBeforeId(value.charAt(end - 1))) return;
    const last = end === 0 ? value : value.slice(end);
    if (!ids.has(last) && isAnyId(last)) ids.add(last);
    return;
  }
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  if (value instanceof Date || ArrayBuffer.isView(value)) return;
  if (Array.isArray(value)) for (const member of value) collect(member, ids, depth + 1);
  else for (const name of Object.keys(value)) collect((value as Members)[name], ids, depth + 1);
}

function isBeforeId(character: string): boolean {
  return character === ':' || character === '/';
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
