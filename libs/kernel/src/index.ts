export * from './call.js';
export * from './canonical-json.js';
export * from './decider.js';
export * from './id.js';
export * from './refusal.js';
