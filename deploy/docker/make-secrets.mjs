// node deploy/docker/make-secrets.mjs <folder>: the passwords of docker-compose.yml, random, each in a file of its own.
// Never overwrites. The folder is 0700, which keeps other users of this machine out; the files are readable so that the
// container's user, whose number the folder's owner does not have, can read the one that is mounted for it.
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const services = ['registry', 'session-broker', 'policy-engine', 'approvals', 'vault', 'audit'];
const [given] = process.argv.slice(2);
if (given === undefined) {
  process.stderr.write('usage: node deploy/docker/make-secrets.mjs <folder>\n');
  process.exit(64);
}
const folder = resolve(given);
mkdirSync(folder, { recursive: true, mode: 0o700 });
chmodSync(folder, 0o700);

const password = () => randomBytes(24).toString('hex');
const keep = (name, make) => {
  const path = join(folder, name);
  if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o444, flag: 'wx' });
  return readFileSync(path, 'utf8');
};

const owner = keep('postgres-password', password);
keep('owner-url', () => `postgres://postgres:${owner}@postgres:5432/writ`);
for (const service of services) {
  const role = `writ_${service.replaceAll('-', '_')}`;
  keep(`${service}-database-url`, () => `postgres://${role}:${password()}@postgres:5432/writ`);
}
process.stdout.write(
  `secrets are in ${folder}; start with: WRIT_SECRETS='${folder}' docker compose up --build --detach\n`,
);
