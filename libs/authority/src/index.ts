export * from './action.js';
export * from './attenuate.js';
export * from './chain.js';
export {
  type AuthorizationDetail,
  type Constraints,
  DETAILS_MAX,
  detailJson,
  detailsJson,
  type FieldConstraint,
  parseDetail,
  parseDetails,
} from './detail.js';
export * from './grant.js';
export * from './limits.js';
export * from './lock-orders.js';
export * from './lock-table.js';
export * from './lock-tool.js';
export * from './match.js';
export * from './message.js';
export {
  addMoney,
  compareMoney,
  formatMoney,
  isAtMost,
  type Money,
  moneyJson,
  parseMoney,
} from './money.js';
export * from './token-claims.js';
