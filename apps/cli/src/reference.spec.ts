import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { referencePage } from './reference.js';
import { tree } from './tree.js';

it('docs/cli.md says what the commands are today; `writ help reference > docs/cli.md` renews it', () =>
  expect(readFileSync('docs/cli.md', 'utf8')).toBe(referencePage(tree)));
