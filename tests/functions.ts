import { parseSync } from '@swc/core';
import type { SourceFile } from './shape.js';

const FUNCTION_LINES_MAX = 60;

interface Node {
  readonly type?: string;
  readonly span?: { readonly start: number; readonly end: number };
  readonly [member: string]: unknown;
}

/** Functions longer than 60 lines, by their syntax tree. A spec's `describe` is a list of sentences and no function of ours. */
export function longFunctions({ path, text }: SourceFile): string[] {
  if (/[.](spec|contract)[.]ts$/.test(path)) return [];
  // A shell line is no TypeScript.
  const source = `;${text.replace(/^#!/, '//')}`;
  // Spans count bytes from a base that grows with every parse; the leading `;` makes the first of them known.
  const module: unknown = parseSync(source, {
    syntax: 'typescript',
    decorators: true,
    target: 'es2024',
  });
  const base = (module as Node).span?.start ?? 0;
  const bytes = Buffer.from(source);
  const lineOf = (offset: number) =>
    bytes
      .subarray(0, offset - base)
      .toString()
      .split('\n').length;
  return bodiesOf(module).flatMap(({ span }) => {
    if (span === undefined) return [];
    const [first, last] = [lineOf(span.start), lineOf(span.end)];
    const lines = last - first + 1;
    return lines > FUNCTION_LINES_MAX ? [`${path}:${first} is a function of ${lines} lines`] : [];
  });
}

function bodiesOf(node: unknown): Node[] {
  if (Array.isArray(node)) return node.flatMap(bodiesOf);
  if (typeof node !== 'object' || node === null) return [];
  const { type, ...members } = node as Node;
  const isFunction =
    type !== undefined &&
    /Function(Expression|Declaration)?$|^ClassMethod$|^PrivateMethod$|^Constructor$|^MethodProperty$/.test(
      type,
    );
  const own =
    type === 'ClassMethod' || type === 'PrivateMethod' ? (members.function as Node) : (node as Node);
  const body = isFunction ? (own.body as Node | undefined) : undefined;
  const within = Object.values(members).flatMap(bodiesOf);
  return body?.type === 'FunctionBody' || body?.type === 'BlockStatement'
    ? [body, ...within.filter((inner) => inner !== body)]
    : within;
}
