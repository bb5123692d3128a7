/** The two schemas of a service: its facts, which the migration role owns, and its views, which the service owns. */
export interface Schemas {
  readonly facts: string;
  readonly views: string;
}

/** @throws Error for a name that is not a service's: a letter, then at most 39 small letters, digits and hyphens */
export function schemasOf(service: string): Schemas {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(service)) throw new Error(`\`${service}\` is not a service's name`);
  const facts = service.replaceAll('-', '_');
  return { facts, views: `${facts}_view` };
}
