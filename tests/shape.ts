import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The shape of the house, as pure functions over file names and texts, so that each can be shown to fail. */

export interface SourceFile {
  /** Path from the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

const FILE_LINES_MAX = 300;
const badSegments = /(^|[-.])(manager|helper|helpers|util|utils|common|shared|misc)([-.]|$)/;
// A service is one of six programs; a file that is called so says nothing about what it does.
const badRole = /(^|[.])service$/;
const hiddenTime = /\bDate\.now\(|\bMath\.random\(|\brandomUUID\(|\bnew Date\(\)/;
/** What may stand between a noun and `.ts`; CONTRIBUTING.md says what each is for. */
const roles = [
  'facts',
  'rpc',
  'http',
  'view',
  'reactions',
  'provider',
  'store',
  'background',
  'flow',
  'message',
  'client',
  'cipher',
  'settings',
  'sql',
  'spec',
  'contract',
  'module',
];

export function sourceFiles(root: string): SourceFile[] {
  const found: SourceFile[] = [];
  const walk = (folder: string) => {
    for (const name of readdirSync(join(root, folder))) {
      const path = `${folder}/${name}`;
      if (['node_modules', 'dist', 'target'].includes(name) || path === 'libs/contracts/src') continue;
      if (statSync(join(root, path)).isDirectory()) walk(path);
      else if (/[.](ts|mjs|cjs)$/.test(name))
        found.push({ path, text: readFileSync(join(root, path), 'utf8') });
    }
  };
  for (const top of ['apps', 'libs', 'scripts', 'tests']) walk(top);
  return found;
}

export function longFiles(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1;
    return lines > FILE_LINES_MAX ? [`${path} has ${lines} lines`] : [];
  });
}

export function badFileNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => {
    const name = basename(path).replace(/[.](ts|mjs|cjs)$/, '');
    return badSegments.test(name) || badRole.test(name) ? [`${path} says nothing by its name`] : [];
  });
}

function blank(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/[^\n]*/g, ' ')
    .replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, '""')
    .replace(/`(?:\\.|[^`\\])*`/g, (template) => template.replace(/[^\n]/g, ' '));
}

/** Clocks and chance outside `libs/service` and the one door of `libs/client`, where nobody can replay them. */
export function hiddenInputs(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    if (
      /^(libs\/service|libs\/testing|scripts|tests)\//.test(path) ||
      path === 'libs/client/src/clock.ts' ||
      /(^|\/)test\//.test(path) ||
      /[.](spec|contract)[.]ts$/.test(path)
    )
      return [];
    return hiddenTime.test(blank(text)) ? [`${path} reads a clock or draws a random number`] : [];
  });
}

/** Every file of an app's noun has a known role, and every noun with rules has a spec. */
export function unknownRoles(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => {
    const match =
      /^apps\/(registry|policy-engine|vault|session-broker|approvals|audit)\/src\/(?:[^/]+\/)?([^/]+)[.]ts$/.exec(
        path,
      );
    const parts = match?.[2]?.split('.').slice(1) ?? [];
    const unknown = parts.filter((part) => !roles.includes(part));
    return unknown.length > 0 ? [`${path} has the unknown role \`${unknown.join('.')}\``] : [];
  });
}

export function nounsWithoutSpec(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.flatMap(({ path, text }) => {
    const isRules =
      /^apps\/[^/]+\/src\/([^/]+)\/\1[.]ts$/.test(path) && /\bDecider<|export function/.test(text);
    return isRules && !paths.has(path.replace(/[.]ts$/, '.spec.ts')) ? [`${path} has rules and no spec`] : [];
  });
}

export function providersWithoutContract(files: readonly SourceFile[]): string[] {
  const paths = files.map(({ path }) => path);
  return files.flatMap(({ path, text }) => {
    if (!/^apps\/.+[.]provider[.]ts$/.test(path) || !/export abstract class/.test(text)) return [];
    return paths.includes(path.replace(/[.]ts$/, '.contract.ts')) ? [] : [`${path} has no contract`];
  });
}

/** Fields of recorded facts without a data class; unclassified would mean secret, and a fact carries no secret. */
export function unclassifiedFields(protos: readonly SourceFile[]): string[] {
  return protos.flatMap(({ path, text }) => {
    let inMessage = 0;
    return text.split('\n').flatMap((line, index) => {
      if (/^\s*message\s/.test(line)) inMessage += 1;
      if (/^}/.test(line)) inMessage = 0;
      const isField = inMessage > 0 && /^\s*(repeated\s+|optional\s+)?[\w.]+\s+\w+\s*=\s*\d+/.test(line);
      const classified =
        /\(writ\.options\.v1\.data\) = DATA_CLASS_(PUBLIC|INTERNAL|PSEUDONYM|SENSITIVE)/.test(line);
      return isField && !classified ? [`${path}:${index + 1} has no data class`] : [];
    });
  });
}

/** Apps whose name is no word of the glossary. */
export function strangers(apps: readonly string[], glossary: string): string[] {
  return apps
    .filter((app) => !glossary.includes(`**${app}**`))
    .map((app) => `\`${app}\` is not in the glossary`);
}

export function factProtos(root: string): SourceFile[] {
  const found: SourceFile[] = [];
  for (const area of readdirSync(join(root, 'proto/writ'))) {
    for (const name of readdirSync(join(root, 'proto/writ', area, 'v1'))) {
      const path = `proto/writ/${area}/v1/${name}`;
      if (name.endsWith('_facts.proto')) found.push({ path, text: readFileSync(join(root, path), 'utf8') });
    }
  }
  return found;
}
