import { readFileSync } from 'node:fs';
import { parseAst } from 'vitest/node';
import { sourceFiles } from './imports.js';

/** Where src makes an error or a refusal. */
export interface Message {
  readonly code: string;
  readonly file: string;
  /** The fixed parts of its sentence: what stands between the values. */
  readonly parts: readonly string[];
  /** Whether a value stands in it. */
  readonly hasValue: boolean;
}

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * Messages of errors and refusals in src: the argument behind a code, or the `message` or `reason` beside a `code`. One
 * whose words stand elsewhere has those of the variables and functions that it names, or else those of its file.
 */
export function messagesIn(folder: string, isCode: (text: string) => boolean): Message[] {
  return sourceFiles(folder).flatMap((file) => {
    const program = parseAst(readFileSync(file, 'utf8'), {
      lang: file.endsWith('x') ? 'tsx' : 'ts',
    }) as unknown as Node;
    const all = [...nodesOf(program)];
    return all.flatMap((node) => {
      const found = messageOf(node, isCode);
      if (found === null) return [];
      const own = textsOf(found.message);
      const named = namesIn(found.message).flatMap((name) => textsNamed(all, name));
      const texts = [own, [...own, ...named]].find(isSentence) ?? textsOf(program);
      return [
        {
          code: found.code,
          file,
          parts: texts.flatMap(({ parts }) => parts),
          hasValue: texts.some(({ hasValue }) => hasValue),
        },
      ];
    });
  });
}

function messageOf(node: Node, isCode: (text: string) => boolean): { code: string; message: Node } | null {
  if (node.type === 'NewExpression' && (node.callee as Node).name === 'UsageError') {
    return { code: 'USAGE', message: (node.arguments as Node[])[0]! };
  }
  if (node.type === 'NewExpression' || node.type === 'CallExpression') {
    const given = node.arguments as Node[];
    const at = given.findIndex((argument) => isCode(String(argument.value)));
    return at < 0 || given[at + 1] === undefined
      ? null
      : { code: String(given[at]!.value), message: given[at + 1]! };
  }
  if (node.type === 'ObjectExpression') {
    const property = (...names: string[]) =>
      (node.properties as Node[]).find(({ key }) => names.includes((key as Node | undefined)?.name as string))
        ?.value as Node | undefined;
    const [code, message] = [String(property('code')?.value), property('message', 'reason')];
    return isCode(code) && message !== undefined ? { code, message } : null;
  }
  return null;
}

function isSentence(texts: readonly Text[]): boolean {
  return wordsOf(texts.flatMap(({ parts }) => parts).join(' ')).length >= 3;
}

/** Words, their apostrophes with them. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? [];
}

/** The texts that a name of the file stands for: what it is declared as, or what its function returns. */
function textsNamed(all: readonly Node[], name: unknown): Text[] {
  return all
    .filter(
      ({ type, id }) =>
        /^(?:VariableDeclarator|FunctionDeclaration)$/.test(type) && (id as Node | null)?.name === name,
    )
    .flatMap(textsOf);
}

interface Text {
  readonly parts: readonly string[];
  readonly hasValue: boolean;
}

function textsOf(root: Node): Text[] {
  return [...nodesOf(root)].flatMap((node) => {
    if (node.type === 'Literal' && typeof node.value === 'string') {
      return [{ parts: [node.value], hasValue: false }];
    }
    if (node.type !== 'TemplateLiteral') return [];
    const parts = (node.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked);
    return [{ parts, hasValue: parts.length > 1 }];
  });
}

function namesIn(root: Node): unknown[] {
  return [...nodesOf(root)].filter(({ type }) => type === 'Identifier').map(({ name }) => name);
}

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const each of value) yield* nodesOf(each);
  } else if (typeof value === 'object' && value !== null) {
    if ('type' in value) yield value as Node;
    for (const each of Object.values(value)) yield* nodesOf(each);
  }
}
