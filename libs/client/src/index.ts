export { type ClientOptions, type DecideWish, type DecisionClient, openClient } from './client.js';
export type { Answer, ApprovalDemand, Decision, NoAnswer, Position } from './decision.js';
export type { IdentityMaterial, IdentitySource } from './identity.js';
export { type Cause, type NoAnswerCode, noAnswerCodes } from './no-answer.js';
export type { AskedAction, AskedPosition, Question } from './question.js';
