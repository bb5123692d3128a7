export type { Answer, PolicyError } from './answer.js';
export { Entities } from './entities.js';
export { EntityUid } from './entity-uid.js';
export { parseJson } from './json.js';
export type { PolicyJson } from './policy-json.js';
export { type PolicyDescription, PolicySet, type Request } from './policy-set.js';
export type { PolicySource, TemplateLink } from './policy-source.js';
export { type PolicyPart, partsOf } from './policy-text.js';
export {
  formatted,
  policyJsonOf,
  policyProblems,
  ReferenceSet,
  schemaJsonOf,
  schemaProblems,
  type Validation,
  validation,
} from './reference.provider.js';
export type { SchemaJson } from './schema.js';
export { InvalidSource, problemAt, type SourceProblem } from './source-problem.js';
export { InvalidInput, readUid } from './value-json.js';
