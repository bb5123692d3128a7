/** Every process that has an identity `/service/<name>` in the trust domain. An unlisted name is refused. */
export const serviceNames = [
  'registry',
  'policy-engine',
  'vault',
  'session-broker',
  'approvals',
  'audit',
  'gateway',
  'discovery',
  'monitor',
  'console',
  'writd',
] as const;

export type ServiceName = (typeof serviceNames)[number];

export function isServiceName(name: string): name is ServiceName {
  return serviceNames.some((known) => known === name);
}

/** The proto area of each service that records facts: `session` in `writ.session.v1`. */
const areas: Readonly<Partial<Record<ServiceName, string>>> = {
  registry: 'registry',
  'policy-engine': 'policy',
  vault: 'vault',
  'session-broker': 'session',
  approvals: 'approval',
};

/** The proto area of the service's facts; its own name where the two agree. */
export function areaOf(service: ServiceName): string {
  return areas[service] ?? service;
}
