import {
  ListLocksRequest,
  ListLocksResponse,
  LockServiceService,
} from '@writ/contracts/writ/session/v1/lock.js';
import { unary } from './rpc.js';

export const listLocks = unary(
  'session-broker',
  LockServiceService.listLocks,
  ListLocksRequest,
  ListLocksResponse,
);
