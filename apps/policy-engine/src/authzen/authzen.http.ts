import { Injectable } from '@nestjs/common';
import type { Call } from '@writ/kernel';
import type { HttpCalls, HttpRequest, Routes } from '@writ/service';
import { askers } from '../decision/question.message.js';
import { Evaluations } from './evaluation.flow.js';
import { Searches } from './search.flow.js';

/** AuthZEN Authorization API 1.0, at the paths that the standard proposes. */
export const authzenRoutes = {
  evaluation: { method: 'POST', path: '/access/v1/evaluation', who: askers },
  evaluations: { method: 'POST', path: '/access/v1/evaluations', who: askers },
  searchAction: { method: 'POST', path: '/access/v1/search/action', who: askers },
  searchResource: { method: 'POST', path: '/access/v1/search/resource', who: askers },
  // It names agents beside the one that asks, so it is not for agents.
  searchSubject: { method: 'POST', path: '/access/v1/search/subject', who: ['enforcement-point'] },
  metadata: {
    method: 'GET',
    path: '/.well-known/authzen-configuration',
    who: [
      ...askers,
      'role:admin',
      'role:operator',
      'role:auditor',
      'role:security',
      'role:sponsor',
      'role:approver',
    ],
  },
} as const satisfies Routes;

@Injectable()
export class AuthzenHttp implements HttpCalls<typeof authzenRoutes> {
  static readonly routes = authzenRoutes;

  constructor(
    private readonly asked: Evaluations,
    private readonly searches: Searches,
  ) {}

  async evaluation({ body }: HttpRequest, call: Call) {
    return this.asked.one(body, call);
  }

  async evaluations({ body }: HttpRequest, call: Call) {
    return this.asked.many(body, call);
  }

  async searchAction({ body }: HttpRequest, call: Call) {
    return this.searches.actions(body, call);
  }

  async searchResource({ body }: HttpRequest, call: Call) {
    return this.searches.resources(body, call);
  }

  async searchSubject({ body }: HttpRequest, call: Call) {
    return this.searches.subjects(body, call);
  }

  /** Under the name by which the client reached us: whoever asked compares it with that very name. */
  async metadata({ host }: HttpRequest) {
    const base = `https://${host}`;
    const { evaluation, evaluations, searchSubject, searchResource, searchAction } = authzenRoutes;
    return {
      policy_decision_point: base,
      access_evaluation_endpoint: base + evaluation.path,
      access_evaluations_endpoint: base + evaluations.path,
      search_subject_endpoint: base + searchSubject.path,
      search_resource_endpoint: base + searchResource.path,
      search_action_endpoint: base + searchAction.path,
    };
  }
}
