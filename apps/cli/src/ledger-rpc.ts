import {
  Entry,
  GetEntryRequest,
  GetLedgerHeadRequest,
  LedgerHead,
  LedgerServiceService,
  ListEntriesRequest,
  ListEntriesResponse,
  ListSourcesRequest,
  ListSourcesResponse,
  VerifyLedgerRequest,
  VerifyLedgerResponse,
} from '@writ/contracts/writ/audit/v1/ledger.js';
import { serverStream, unary } from './rpc.js';

const { getLedgerHead, getEntry, listEntries, listSources, verifyLedger } = LedgerServiceService;

export const ledgerHead = unary('audit', getLedgerHead, GetLedgerHeadRequest, LedgerHead);
export const ledgerEntry = unary('audit', getEntry, GetEntryRequest, Entry);
export const ledgerEntries = unary('audit', listEntries, ListEntriesRequest, ListEntriesResponse);
export const ledgerSources = unary('audit', listSources, ListSourcesRequest, ListSourcesResponse);
export const ledgerVerification = serverStream(
  'audit',
  verifyLedger,
  VerifyLedgerRequest,
  VerifyLedgerResponse,
);
