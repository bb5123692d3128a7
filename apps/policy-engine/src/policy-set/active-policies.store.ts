import { Injectable } from '@nestjs/common';
import type { Policies } from '../decision/policy-request.js';
import { PolicyTelemetry } from '../telemetry.js';
import { type CompiledPolicies, PolicyLanguage } from './policies.provider.js';
import { PolicySetView } from './policy-set.view.js';

/** The policy set that decisions are made under, compiled. A new one is made ready beside it and takes its place at once. */
@Injectable()
export class ActivePolicies {
  #active: CompiledPolicies | undefined;

  constructor(
    private readonly sets: PolicySetView,
    private readonly language: PolicyLanguage,
    private readonly telemetry: PolicyTelemetry,
  ) {}

  /** Undefined when none was ever applied. */
  current(): Policies | undefined {
    return this.#active;
  }

  /** Makes `version` the active one; 0 is none. Throws when it cannot be compiled, and nothing has changed then. */
  async ensure(version: number): Promise<void> {
    if (version === (this.#active?.version ?? 0)) return;
    const set = await this.sets.atVersion(version);
    if (set === undefined) throw new Error(`policy set version ${version} is gone`);
    const before = this.#active;
    this.#active = this.language.compile(set);
    before?.release();
    this.telemetry.policySetActive({ policySetId: set.policySetId, version });
  }
}
