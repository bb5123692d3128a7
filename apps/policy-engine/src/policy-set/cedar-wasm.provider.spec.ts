import { CedarWasm } from './cedar-wasm.provider.js';
import { policyLanguageContract } from './policies.provider.contract.js';

policyLanguageContract('Cedar in WebAssembly', () => new CedarWasm());
