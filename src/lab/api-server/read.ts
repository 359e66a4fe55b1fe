import type { Core } from './core.ts';
import { forbidden, notSupported } from './field-error.ts';
import { parseFieldSelector } from './field-selector.ts';
import { type ApiObject, isObject, type Json, type JsonObject } from './json.ts';
import type { Kind } from './kind.ts';
import { parseLabelSelector, type Selector } from './label-selector.ts';
import { badRequest, expired, invalidListOptions, revisionTooLarge } from './status.ts';
import { keyOf } from './store.ts';
import { servedAll } from './versions.ts';

/** A collection as a request names it. */
export type Scope = { readonly kind: Kind; readonly namespace: string | undefined; readonly query: URLSearchParams };

export type Page = { readonly items: ApiObject[]; readonly metadata: JsonObject };

/** Largest page; a client that asks for more gets this many and a `continue`. */
const maxPage = 10_000;

/** Lists a collection, one page, as of one revision: later pages show the collection as the first one saw it. */
export async function listObjects(core: Core, scope: Scope): Promise<Page> {
  const { kind, namespace, query } = scope;
  const selects = selectorOf(scope);
  const limit = Math.min(wholeNumber(query, 'limit') ?? maxPage, maxPage) || maxPage;
  const token = continueOf(query);
  const revision = token?.revision ?? revisionOf(core, query);
  const all =
    revision === core.store.revision
      ? core.store.list(kind.resource, namespace)
      : core.store.listAt(revision, kind.resource, namespace);
  if (all === undefined) throw tooOld(core, revision, token !== undefined);

  const rest = token === undefined ? all : all.filter((object) => keyOf(object.metadata) > token.after);
  const chosen = rest.filter(selects);
  const items = chosen.slice(0, limit);
  const metadata: JsonObject = { resourceVersion: String(revision) };
  const last = items.at(-1);
  if (chosen.length > limit && last !== undefined) {
    metadata.continue = Buffer.from(JSON.stringify({ revision, after: keyOf(last.metadata) })).toString('base64url');
    const filtered = query.has('labelSelector') || query.has('fieldSelector');
    if (!filtered) metadata.remainingItemCount = chosen.length - limit;
  }
  return { items: await servedAll(core, kind, items), metadata };
}

/** The label and the field selector of a request, together. Throws a 400 Status for one that cannot be read. */
export function selectorOf({ kind, query }: Scope): Selector {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', kind.selectableFields);
  return (object) => labels(object) && fields(object);
}

/** A whole number in the query; undefined when absent. Throws a 400 Status for anything else. */
export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid ${name}: ${JSON.stringify(text)} is no whole number`);
  return Number(text);
}

export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text === 'true' || text === '1';
}

function revisionOf(core: Core, query: URLSearchParams): number {
  const asked = wholeNumber(query, 'resourceVersion');
  const match = query.get('resourceVersionMatch') ?? '';
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalidListOptions(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
  }
  if (match !== '' && asked === undefined) {
    const why = 'resourceVersionMatch is forbidden unless resourceVersion is provided';
    throw invalidListOptions(forbidden('resourceVersionMatch', why));
  }
  if (asked !== undefined && asked > core.store.revision) throw revisionTooLarge(String(asked), core.store.revision);
  return match === 'Exact' && asked !== undefined ? asked : core.store.revision;
}

function continueOf(query: URLSearchParams): { revision: number; after: string } | undefined {
  const text = query.get('continue') ?? '';
  if (text === '') return undefined;
  const token = parsed(Buffer.from(text, 'base64url').toString('utf8'));
  if (!isObject(token) || !Number.isSafeInteger(token.revision) || typeof token.after !== 'string') {
    throw badRequest('continue key is not valid');
  }
  return { revision: token.revision as number, after: token.after };
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined; // the caller names the field
  }
}

function tooOld(core: Core, revision: number, continued: boolean): Error {
  if (continued) {
    return expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
    );
  }
  return expired(`The resourceVersion for the provided list is too old: ${revision} (${core.store.revision})`);
}
