import { CliFailure } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import type { Files } from './files.js';
import { type Json, type JsonObject, listAt, textAt } from './json.js';
import { type Finding, type Place, readTestFile, type TestFile } from './policy-test-file.js';

const schemaFile = 'schema.cedarschema';
const testsFolder = 'tests';

/** Part of a text that was put together from files. */
interface Part {
  readonly file: string;
  readonly text: string;
}

/**
 * A policy set as people keep it: every `*.cedar` in the order of the names, `schema.cedarschema`, and `tests/*.yaml`.
 * Services know one text; this knows which file and line each place of it is.
 */
export class PolicyFolder {
  private constructor(
    private readonly policyParts: readonly Part[],
    private readonly schemaPart: Part,
    private readonly testFiles: readonly TestFile[],
  ) {}

  /** @throws CliFailure 3 for a folder without policies or schema, and for test files that are not right, each place named */
  static async read(folder: string, files: Files): Promise<PolicyFolder> {
    const path = (name: string) => (folder === '.' ? name : `${folder.replace(/\/+$/, '')}/${name}`);
    const part = async (file: string): Promise<Part> => {
      const text = await files.text(file);
      return { file, text: text.endsWith('\n') ? text : `${text}\n` };
    };
    const names = await files.names(folder);
    const cedar = names.filter((name) => name.endsWith('.cedar'));
    if (cedar.length === 0 || !names.includes(schemaFile)) {
      const missing = cedar.length === 0 ? '*.cedar' : schemaFile;
      throw new CliFailure(exitCodes.invalid, `\`${folder}\` has no \`${missing}\``, {
        next: 'a policy folder holds *.cedar, schema.cedarschema and tests/*.yaml',
      });
    }
    const testNames = (await files.names(path(testsFolder))).filter((name) => /\.ya?ml$/.test(name));
    const tests: TestFile[] = [];
    for (const name of testNames) {
      const file = path(`${testsFolder}/${name}`);
      tests.push(readTestFile(file, await files.text(file)));
    }
    const findings = tests.flatMap((one) => one.findings);
    if (findings.length > 0) throw foundIn('tests cannot be read', findings);
    const policies: Part[] = [];
    for (const name of cedar) policies.push(await part(path(name)));
    return new PolicyFolder(policies, await part(path(schemaFile)), tests);
  }

  /** Fields of a request that applies or tests it, in proto3 JSON. */
  request(): { policies: string; schema: string; tests: readonly JsonObject[] } {
    return {
      policies: this.policyParts.map(({ text }) => text).join(''),
      schema: this.schemaPart.text,
      tests: this.testFiles.flatMap(({ tests }) => tests),
    };
  }

  /** A `PolicySetProblem` in terms of files. */
  finding(problem: Json): Finding {
    const line = Number(textAt(problem, 'line'));
    const parts = textAt(problem, 'field') === 'schema' ? [this.schemaPart] : this.policyParts;
    const found = { column: Number(textAt(problem, 'column')), message: textAt(problem, 'message') };
    const excerpt = textAt(problem, 'excerpt');
    let before = 0;
    for (const { file, text } of parts) {
      const lines = text.split('\n').length - 1;
      if (line > 0 && line <= before + lines) return { ...found, file, line: line - before, excerpt };
      before += lines;
    }
    // At the very end of the text, or at no one place.
    return { ...found, file: parts.at(-1)?.file ?? '', line: 0, column: 0, excerpt: '' };
  }

  /** Where a test stands, by its number over all files; or a part of it. */
  testPlace(index: number, part = ''): Place | undefined {
    let before = 0;
    for (const { tests, placeOf } of this.testFiles) {
      if (index < before + tests.length) return placeOf(index - before, part);
      before += tests.length;
    }
    return undefined;
  }

  /** A bad field of a request, in terms of files where it is part of a test. */
  located({ field, description }: { field: string; description: string }): {
    field: string;
    description: string;
  } {
    const [, index, part = ''] = /^tests\[(\d+)\]\.?(.*)$/.exec(field) ?? [];
    const place = index === undefined ? undefined : this.testPlace(Number(index), part);
    if (place === undefined) return { field, description };
    return { field: placeText(place), description: part === '' ? description : `\`${part}\` ${description}` };
  }
}

/** `finance.cedar:12:7` */
export function placeText({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}

/** For people: place and message, and below them the line with a caret under the place. */
export function findingLines(finding: Finding): readonly string[] {
  const head = `${placeText(finding)}: ${finding.message}`;
  if (finding.excerpt === '') return [head];
  // A tab is shown as one space, in both lines.
  const below = finding.excerpt.replaceAll('\t', ' ').replaceAll('\r', '').split('\n');
  return [head, ...below.map((line) => `  ${line}`)];
}

/** The failure that names every finding by file, line and column. */
export function foundIn(what: string, findings: readonly Finding[]): CliFailure {
  return new CliFailure(exitCodes.invalid, `${what}: ${counted(findings.length, 'problem')}`, {
    fields: findings.map((one) => ({ field: placeText(one), description: one.message })),
    lines: findings.flatMap(findingLines),
  });
}

/** `1 problem`, `2 problems` */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** The problems of an answer, in terms of files. */
export function findingsOf(folder: PolicyFolder, answer: Json): readonly Finding[] {
  return listAt(answer, 'problems').map((problem) => folder.finding(problem));
}
