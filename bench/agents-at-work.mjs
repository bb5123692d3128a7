// Agents that may act: registered, attested, with a mandate and a session, all through the services' own calls.
import { setTimeout as delay } from 'node:timers/promises';
import { Environment, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { refusalOf, SystemClock, sha256Base64Url } from '@writ/service';
import { assertionOf } from '@writ/writd/walk/agent-session.js';
import { memberOf, newKeys, saveMember } from '@writ/writd/walk/cast.js';
import { plainAction } from '@writ/writd/walk/erp.js';
import { applyStarterPolicies } from '@writ/writd/walk/policies.js';
import { detail } from '@writ/writd/walk/steps-authority.js';

const ARRIVAL_MS_MAX = 15_000;
const HOUR_MS = 60 * 60 * 1000;

const clock = new SystemClock();
const digestOf = (text) => `sha-256:${sha256Base64Url(text)}`;

/** What the agents ask for: an action within their mandate, without a limit that would count it. */
export const action = plainAction('rate', 'read', 'fx', 'rates/EURUSD');

/** Asks again while the answer is a refusal: a service has not heard yet of what another one recorded. */
async function onceKnown(what, ask) {
  const giveUpAtMs = performance.now() + ARRIVAL_MS_MAX;
  for (;;) {
    try {
      return await ask();
    } catch (cause) {
      if (refusalOf(cause) === undefined || performance.now() > giveUpAtMs)
        throw new Error(`${what} did not come about`, { cause });
    }
    await delay(50);
  }
}

/** Registers agents and opens a session of each; answers the requests by which an enforcement point asks for them. */
export async function agentsAtWork({ home, record }, operator, count) {
  await applyStarterPolicies({ operator });
  const requests = [];
  for (let n = 1; n <= count; n += 1) {
    const name = `rate-agent-${n}`;
    const agent = await registered(home, record, operator, name);
    requests.push(await opened(record, operator, agent));
    agent.clients.close();
  }
  return requests;
}

async function registered(home, record, operator, name) {
  const keys = newKeys();
  const { agentId, etag } = await operator.clients.agents.registerAgent({
    displayName: name,
    builder: 'treasury engineering',
    owner: 'treasury',
    sponsorId: operator.id,
    blueprintId: '',
    purpose: 'read exchange rates',
    environment: Environment.ENVIRONMENT_PRODUCTION,
    sensitivity: Sensitivity.SENSITIVITY_INTERNAL,
    provenance: {
      modelDigest: digestOf(`${name} model`),
      systemPromptDigest: digestOf(`${name} system prompt`),
      toolsDigest: digestOf(`${name} tools`),
      imageDigest: digestOf(`${name} image`),
    },
    jwk: keys.jwk,
    requestId: '',
  });
  await operator.clients.agents.attestAgent({ agentId, etag, requestId: '' });
  await saveMember(home, operator, name, agentId, keys);
  return memberOf(home, record, name);
}

async function opened({ others }, operator, agent) {
  const { mandateId } = await onceKnown(`a mandate for ${agent.name}`, () =>
    operator.clients.mandates.grantMandate({
      agentId: agent.id,
      purpose: 'rates for the treasury',
      authorizationDetails: [detail('rate', ['read'], { locations: ['fx'], identifier: 'rates/*' })],
      limits: undefined,
      expireTime: new Date(clock.now().getTime() + HOUR_MS),
      maxDepth: 0,
      requestId: '',
    }),
  );
  const { accessToken, position } = await onceKnown(`a session of ${agent.name}`, () =>
    agent.clients.sessions.openSession({
      assertion: assertionOf(agent, others.issuer, clock.now().getTime()),
      mandateId,
      delegationId: '',
      task: 'read rates',
      requestId: '',
    }),
  );
  return {
    token: accessToken,
    presentedCertificateSha256: agent.identity.current().certificateSha256,
    action,
    approvalId: '',
    requestId: '',
    atLeast: position === undefined ? [] : [position],
  };
}

/** Resolves when every request is allowed, with the requests as an enforcement point repeats them: knowing nothing. */
export async function untilAllowed(decisions, requests, isAllowed) {
  const giveUpAtMs = performance.now() + ARRIVAL_MS_MAX;
  for (const request of requests) {
    let answer = await decisions.decide(request);
    while (!isAllowed(answer)) {
      if (performance.now() > giveUpAtMs)
        throw new Error(`not allowed: ${answer.reasonCode}, ${answer.reason}`);
      await delay(100);
      answer = await decisions.decide(request);
    }
  }
  return requests.map((request) => ({ ...request, atLeast: [] }));
}
