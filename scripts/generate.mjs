// Makes libs/contracts/src (messages, clients, server types) and the descriptor set from proto/.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
const buf = (...args) => execFileSync(join(bin, 'buf'), args, { cwd: root, env, stdio: 'inherit' });
buf('generate');
buf('build', '-o', 'libs/contracts/descriptor.binpb');
