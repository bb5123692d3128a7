import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSet,
} from '@writ/contracts/google/protobuf/descriptor.js';

/** What the command line has to know of a field: how to read it and how to name it. */
export interface Field {
  /** As in the contract: `sponsor_id`. */
  readonly name: string;
  /** As in proto3 JSON: `sponsorId`. */
  readonly jsonName: string;
  readonly kind: 'string' | 'int' | 'bigint' | 'bool' | 'bytes' | 'enum' | 'message';
  /** Full name of the enum or message, without the leading dot. */
  readonly typeName: string;
  readonly repeated: boolean;
}

export interface MessageType {
  readonly name: string;
  readonly fields: readonly Field[];
}

const scalars: Readonly<Partial<Record<FieldDescriptorProto_Type, Field['kind']>>> = {
  [FieldDescriptorProto_Type.TYPE_STRING]: 'string',
  [FieldDescriptorProto_Type.TYPE_INT32]: 'int',
  [FieldDescriptorProto_Type.TYPE_INT64]: 'bigint',
  [FieldDescriptorProto_Type.TYPE_BOOL]: 'bool',
  [FieldDescriptorProto_Type.TYPE_BYTES]: 'bytes',
  [FieldDescriptorProto_Type.TYPE_ENUM]: 'enum',
  [FieldDescriptorProto_Type.TYPE_MESSAGE]: 'message',
};

/**
 * The contract as data, from the descriptor set that is generated with the messages. Flags, files, completion and the
 * reference read types and choices here, so that no list of them is kept by hand.
 */
export class Contract {
  readonly #messages = new Map<string, MessageType>();
  readonly #enums = new Map<string, readonly string[]>();
  readonly #words = new Map<string, string>();
  readonly #requests = new Map<string, string>();

  constructor({ file }: FileDescriptorSet) {
    for (const { package: area = '', messageType, enumType, service } of file) {
      if (!area.startsWith('writ.') && area !== 'google.protobuf') continue;
      for (const message of messageType) this.#addMessage(area, message);
      for (const { name = '', value } of enumType)
        this.#addEnum(
          area,
          name,
          value.map((one) => one.name ?? ''),
        );
      for (const { name = '', method } of service)
        for (const call of method)
          this.#requests.set(`/${area}.${name}/${call.name}`, withoutDot(call.inputType));
    }
  }

  static load(): Contract {
    return new Contract(FileDescriptorSet.decode(readFileSync(descriptorPath())));
  }

  /** The request message of a call by its path `/writ.registry.v1.AgentService/GetAgent`. */
  requestOf(path: string): MessageType {
    return this.message(this.#requests.get(path) ?? path);
  }

  /** The paths of all calls, in the order of the contract. */
  calls(): IterableIterator<string> {
    return this.#requests.keys();
  }

  message(name: string): MessageType {
    const found = this.#messages.get(name);
    if (found === undefined) throw new Error(`the contract has no message \`${name}\``);
    return found;
  }

  /** The values of an enum as people type them: `awaiting-attestation`. */
  words(enumName: string): readonly string[] {
    return (this.#enums.get(enumName) ?? []).map((value) => this.wordOf(value) ?? value);
  }

  /** `AGENT_STATE_ACTIVE` → `active`; undefined for what is no value of any enum. */
  wordOf(value: string): string | undefined {
    return this.#words.get(value);
  }

  /** The value that a word or a full name stands for. */
  enumValue(enumName: string, word: string): string | undefined {
    const lower = word.toLowerCase().replaceAll('_', '-');
    return (this.#enums.get(enumName) ?? []).find((value) => value === word || this.wordOf(value) === lower);
  }

  #addMessage(scope: string, { name = '', field, nestedType }: DescriptorProto): void {
    const full = `${scope}.${name}`;
    this.#messages.set(full, { name: full, fields: field.flatMap(fieldOf) });
    for (const nested of nestedType) this.#addMessage(full, nested);
  }

  /** The zero value means "not given" (AIP-126) and is nothing to type. */
  #addEnum(scope: string, name: string, values: readonly string[]): void {
    const prefix = `${name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_`;
    this.#enums.set(`${scope}.${name}`, values.slice(1));
    if (!scope.startsWith('writ.')) return;
    for (const value of values)
      this.#words.set(value, value.replace(prefix, '').toLowerCase().replaceAll('_', '-'));
  }
}

/** Where the descriptor set lies: `buf curl --schema` takes it too. */
export function descriptorPath(): string {
  return createRequire(import.meta.url).resolve('@writ/contracts/descriptor.binpb');
}

export const contract = Contract.load();

/** The field of that name, in any spelling: `sponsor_id`, `sponsor-id`, `sponsorId`. */
export function fieldNamed({ fields }: MessageType, spelling: string): Field | undefined {
  const snake = spelling.replaceAll('-', '_');
  return fields.find(({ name, jsonName }) => name === snake || jsonName === spelling);
}

function fieldOf({ name = '', jsonName = '', type, typeName, label }: FieldDescriptorProto): Field[] {
  const kind = type === undefined ? undefined : scalars[type];
  if (kind === undefined) return [];
  const repeated = label === FieldDescriptorProto_Label.LABEL_REPEATED;
  return [{ name, jsonName, kind, typeName: withoutDot(typeName), repeated }];
}

function withoutDot(name = ''): string {
  return name.startsWith('.') ? name.slice(1) : name;
}
