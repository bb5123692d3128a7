import { readFileSync } from 'node:fs';
import { loadFileDescriptorSetFromBuffer, type MethodDefinition } from '@grpc/proto-loader';

/** The contract as its descriptor set says it: what any client sees through reflection. */

/** A field of a message, as `google.protobuf.FieldDescriptorProto`. */
export interface ContractField {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly repeated: boolean;
  /** Of a message or an enum: its name as the descriptor spells it. */
  readonly typeName: string;
}

export interface ContractMethod {
  /** `/writ.registry.v1.AgentService/SuspendAgent` */
  readonly path: string;
  readonly service: string;
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Full name of the request message. */
  readonly request: string;
  encode(request: object): Buffer;
}

interface RawField {
  name: string;
  number: number;
  type: string;
  label: string;
  typeName: string;
}

const descriptorSet = 'libs/contracts/descriptor.binpb';

export class Contract {
  readonly methods: readonly ContractMethod[];
  readonly #messages = new Map<string, readonly ContractField[]>();

  constructor(bytes = readFileSync(descriptorSet)) {
    const definition = loadFileDescriptorSetFromBuffer(bytes, { keepCase: true, longs: String });
    const methods: ContractMethod[] = [];
    for (const [name, thing] of Object.entries(definition)) {
      if ('format' in thing) this.#messages.set(name, fieldsOf(thing.type));
      else if (name.startsWith('writ.'))
        for (const method of Object.values(thing)) methods.push(methodOf(name, method));
    }
    this.methods = methods.toSorted((a, b) => a.path.localeCompare(b.path));
  }

  fields(message: string): readonly ContractField[] {
    const fields = this.#messages.get(message);
    if (fields === undefined) throw new Error(`the contract has no message \`${message}\``);
    return fields;
  }

  /** Full name of a field's message: the descriptor may leave out what the two packages share. */
  messageOf({ typeName }: ContractField, within: string): string {
    const given = typeName.replace(/^\./, '');
    for (let scope = within; scope !== ''; ) {
      scope = scope.includes('.') ? scope.slice(0, scope.lastIndexOf('.')) : '';
      const name = scope === '' ? given : `${scope}.${given}`;
      if (this.#messages.has(name)) return name;
    }
    throw new Error(`the contract has no message \`${given}\` where \`${within}\` names it`);
  }
}

function methodOf(service: string, method: MethodDefinition<object, object>): ContractMethod {
  const { path, originalName = '', requestStream, responseStream, requestType, requestSerialize } = method;
  const name = path.slice(path.lastIndexOf('/') + 1) || originalName;
  const encode = (request: object) => requestSerialize(request);
  const request = fullNameOf(service, requestType.type);
  return { path, service, name, requestStream, responseStream, request, encode };
}

function fullNameOf(service: string, type: object): string {
  const name: unknown = Reflect.get(type, 'name');
  return `${service.slice(0, service.lastIndexOf('.'))}.${String(name)}`;
}

function fieldsOf(type: object): readonly ContractField[] {
  const fields: unknown = Reflect.get(type, 'field');
  if (!Array.isArray(fields)) return [];
  return fields.map(({ name, number, type: kind, label, typeName }: RawField) => ({
    name,
    number,
    type: kind,
    repeated: label === 'LABEL_REPEATED',
    typeName: typeName ?? '',
  }));
}
