// biome-ignore lint/style/noRestrictedImports: the models made from Kubernetes' OpenAPI document; nothing of the client.
import * as models from '@kubernetes/client-node/dist/gen/models/all.js';
import type { Manifest } from './manifests.ts';

type Attribute = { readonly baseName: string; readonly type: string };

/**
 * The fields of an object that its kind does not have, and those whose value is of another type. The lab's API server
 * knows the insides of few kinds and takes the rest as it comes, so that a misspelt field would pass there.
 */
export function misfits(object: Manifest): readonly string[] {
  return misfitsOf(object, `V1${object.kind}`, object.kind);
}

function misfitsOf(value: unknown, type: string, path: string): readonly string[] {
  const item = /^Array<(.*)>$/.exec(type)?.[1] ?? /^Set<(.*)>$/.exec(type)?.[1];
  if (item !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((one, i) => misfitsOf(one, item, `${path}[${i}]`));
  }
  const entry = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  const attributes = entry === undefined ? attributesOf(type) : undefined;
  if (entry === undefined && attributes === undefined) {
    return isOfType(value, type) ? [] : [`${path} is no ${type}: ${JSON.stringify(value)}`];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`];
  return Object.entries(value).flatMap(([key, one]) => {
    const inside = entry ?? attributes?.find(({ baseName }) => baseName === key)?.type;
    return inside === undefined ? [`${path} has no ${key}`] : misfitsOf(one, inside, `${path}.${key}`);
  });
}

function attributesOf(type: string): readonly Attribute[] | undefined {
  const model = (models as unknown as Record<string, { attributeTypeMap?: readonly Attribute[] }>)[type];
  return model?.attributeTypeMap;
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type;
    case 'IntOrString':
      return typeof value === 'string' || typeof value === 'number';
    case 'any':
      return true;
    default:
      throw new Error(`no rule for the type ${type}`);
  }
}
