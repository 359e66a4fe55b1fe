import type { CelInput, CelResult } from '@bufbuild/cel';
import type { Json } from '../json.ts';
import type { Schema } from './schema.ts';

export type Variables = Readonly<Record<string, CelInput>>;

/** A CEL expression, ready to be evaluated. */
export type Expression = {
  /** Whether it speaks of the object before the change, and so has nothing to say of a new one. */
  readonly usesOldSelf: boolean;
  /** The value, or why there is none, worded as the real server words it. */
  evaluate(variables: Variables): { readonly value: unknown } | { readonly error: string };
};

type Library = Awaited<ReturnType<typeof importLibrary>>;

/** Of one process. Imported when first needed: it is half of what a small API server weighs. */
let library: Library | undefined;
let loading: Promise<void> | undefined;

const compiled = new Map<string, Expression | { readonly error: string }>();

/** To be called as soon as there are expressions to evaluate; `expressionsReady` tells when they can be. */
export function needExpressions(): Promise<void> {
  loading ??= importLibrary().then((imported) => {
    library = imported;
  });
  return loading;
}

/** To be awaited before a request to this path is served. Costs nothing until the first definition with a rule comes. */
export async function expressionsReady(path: readonly string[]): Promise<void> {
  await (path.includes('customresourcedefinitions') ? needExpressions() : loading);
}

/** Whether `compileExpression` may be called. */
export function hasExpressions(): boolean {
  return library !== undefined;
}

/** Throws a TypeError before `expressionsReady` has resolved. */
export function compileExpression(text: string): Expression | { readonly error: string } {
  const known = compiled.get(text) ?? compileNew(text);
  compiled.set(text, known);
  return known;
}

/** The value as the expressions see it, by its schema: whole numbers are int, dates timestamps, the rest by its type. */
export function celValue(value: Json | undefined, schema: Schema): CelInput {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return textValue(value, schema);
  if (typeof value === 'number') return Number.isInteger(value) && schema.type !== 'number' ? BigInt(value) : value;
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema.items ?? {}));
  const fields = Object.entries(value).map(([key, field]) => {
    const own = Object.hasOwn(schema.properties ?? {}, key) ? schema.properties?.[key] : undefined;
    const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
    return [own === undefined ? key : escaped(key), celValue(field, own ?? others)] as const;
  });
  return new Map(fields);
}

async function importLibrary() {
  const [{ celEnv, isCelError, parse, plan }, { functions }] = await Promise.all([
    import('@bufbuild/cel'),
    import('./cel-functions.ts'),
  ]);
  const env = celEnv({ funcs: functions });
  const timestamp = plan(env, parse('timestamp(text)'));
  const duration = plan(env, parse('duration(text)'));
  return { env, isCelError, parse, plan, timestamp, duration };
}

function loaded(): Library {
  if (library === undefined) throw new TypeError('CEL is not loaded yet: wait for needExpressions()');
  return library;
}

function compileNew(text: string): Expression | { readonly error: string } {
  const { env, parse, plan, isCelError } = loaded();
  try {
    const parsed = parse(text);
    const names = namesIn(parsed.expr);
    const unknown = names.functions.find((name) => /^[A-Za-z]/.test(name) && env.funcs.find(name) === undefined);
    if (unknown !== undefined) return { error: `compilation failed: undeclared reference to '${unknown}'` };
    const run = plan(env, parsed) as (variables: Variables) => CelResult;
    return {
      usesOldSelf: names.variables.includes('oldSelf'),
      evaluate(variables) {
        const value = run(variables);
        return isCelError(value) ? { error: value.message.replace(/^field not found:/, 'no such key:') } : { value };
      },
    };
  } catch (thrown) {
    return { error: `compilation failed: ${thrown instanceof Error ? thrown.message : thrown}` };
  }
}

/** The variables and functions that an expression speaks of. The tree is made of messages of several types. */
function namesIn(node: unknown): { readonly variables: readonly string[]; readonly functions: readonly string[] } {
  const variables: string[] = [];
  const functions: string[] = [];
  const look = (here: unknown): void => {
    if (typeof here !== 'object' || here === null) return;
    const { case: kind, value } = here as { case?: unknown; value?: { name?: string; function?: string } };
    if (kind === 'identExpr' && value?.name !== undefined) variables.push(value.name);
    if (kind === 'callExpr' && value?.function !== undefined) functions.push(value.function);
    for (const below of Object.values(here)) look(below);
  };
  look(node);
  return { variables, functions };
}

function textValue(text: string, { format }: Schema): CelInput {
  const { timestamp, duration } = loaded();
  if (format === 'date-time') return timestamp({ text }) as CelInput;
  if (format === 'duration') return duration({ text }) as CelInput;
  return text;
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** The name by which expressions call a property. */
function escaped(key: string): string {
  if (reserved.has(key)) return `__${key}__`;
  const words: Readonly<Record<string, string>> = { __: 'underscores', '.': 'dot', '-': 'dash', '/': 'slash' };
  return key.replace(/__|[-./]/g, (sign) => `__${words[sign]}__`);
}
