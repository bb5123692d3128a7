export { Entities } from './entities.js';
export { EntityUid } from './entity-uid.js';
export { parseJson } from './json.js';
export {
  type Answer,
  type PolicyDescription,
  type PolicyError,
  PolicySet,
  type Request,
} from './policy-set.js';
export type { PolicySource, TemplateLink } from './policy-source.js';
export { formatted, validationProblems } from './reference.provider.js';
export { InvalidSource, type SourceProblem } from './source-problem.js';
export { InvalidInput } from './value-json.js';
