import { isNotFound } from './api-error.ts';
import type { KubernetesObject, ObjectList, ObjectMeta } from './core.ts';
import type { Fence } from './fence.ts';
import { apiVersionOf, collectionPath, keyOf, type ObjectKey, objectPath, type Resource } from './resource.ts';
import { type Call, Transport, type TransportOptions } from './transport.ts';

/** Who the API server records as the writer of the fields we set. */
export const fieldManager = 'garpoon';

export type ClientOptions = TransportOptions & {
  /** The namespace of the pod, or of the kubeconfig's context. */
  readonly namespace?: string | undefined;
  /** Tells this cluster from others without asking it; by default the place of its API server. */
  readonly cluster?: () => string;
};

export type Selection = {
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
};

export type ListOptions = Selection & {
  readonly limit?: number;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
};

export type WatchOptions = Selection & {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
};

export type WriteOptions = { readonly subresource?: 'status' | 'scale'; readonly signal?: AbortSignal };

export type PatchOptions = WriteOptions & {
  readonly contentType:
    | 'application/merge-patch+json'
    | 'application/json-patch+json'
    | 'application/strategic-merge-patch+json'
    | 'application/apply-patch+yaml';
  /** Take over fields that others manage. Server-side apply only. */
  readonly force?: boolean;
  /** Another than `garpoon`, where the owner of a field is part of what others rely on. */
  readonly fieldManager?: string;
};

export type DeleteOptions = {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly signal?: AbortSignal;
};

/** An object to be created; its name may be left to the server by `generateName`. */
export type NewObject<T extends KubernetesObject> = Omit<T, 'metadata'> & { readonly metadata: Partial<ObjectMeta> };

/**
 * The API server's verbs over JSON. Objects are handed out as they came: times are strings, unknown fields are there.
 * Every failure is thrown as ApiError, except that an absent object is a value: `get` gives undefined and `delete`
 * false.
 */
export class ApiClient {
  readonly server: string;
  readonly namespace: string | undefined;
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #fence: Fence | undefined;

  constructor(options: ClientOptions, fenced?: { readonly transport: Transport; readonly fence: Fence }) {
    this.server = options.server;
    this.namespace = options.namespace;
    this.#options = options;
    this.#transport = fenced?.transport ?? new Transport(options);
    this.#fence = fenced?.fence;
  }

  /** Tells the cluster from others, without asking it. It may change when its certificate authority does. */
  cluster(): string {
    return this.#options.cluster?.() ?? this.server;
  }

  /** This client with the same connections, whose writes go out only as long as the fence holds. */
  fencedBy(fence: Fence): ApiClient {
    return new ApiClient(this.#options, { transport: this.#transport, fence });
  }

  /** A call that the typed verbs do not cover (`/version`, a TokenReview). `action` defaults to method and path. */
  request<T>(call: Omit<Call, 'action'> & { readonly action?: string }): Promise<T> {
    const fence = call.method === 'GET' ? undefined : this.#fence;
    return this.#transport.json<T>({ action: `${call.method} ${call.path}`, fence, ...call });
  }

  async get<T extends KubernetesObject>(
    of: Resource<T>,
    key: ObjectKey,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<T | undefined> {
    try {
      return await this.#transport.json<T>({
        action: `get ${of.plural} ${key}`,
        method: 'GET',
        path: objectPath(of, key),
        ...options,
      });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** One page; without `limit`, everything. */
  list<T extends KubernetesObject>(of: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { namespace, signal, ...query } = options;
    return this.#transport.json({
      action: `list ${of.plural}${namespace === undefined ? '' : ` in ${namespace}`}`,
      method: 'GET',
      path: collectionPath(of, namespace),
      query,
      signal,
    });
  }

  /** The bytes of a watch with bookmarks: `watchEvents` of watch-stream.ts reads them. */
  watch<T extends KubernetesObject>(of: Resource<T>, options: WatchOptions): Promise<AsyncIterable<Uint8Array>> {
    const { namespace, signal, ...query } = options;
    return this.#transport.stream({
      action: `watch ${of.plural}${namespace === undefined ? '' : ` in ${namespace}`}`,
      method: 'GET',
      path: collectionPath(of, namespace),
      query: { watch: true, allowWatchBookmarks: true, ...query },
      signal,
    });
  }

  create<T extends KubernetesObject>(
    of: Resource<T>,
    object: NewObject<T>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const { namespace, name, generateName } = object.metadata;
    if (of.namespaced !== (namespace !== undefined)) {
      throw new TypeError(`create ${of.plural} ${name}: the namespace is ${of.namespaced ? 'missing' : 'too much'}`);
    }
    return this.#transport.json({
      action: `create ${of.plural} ${namespace === undefined ? '' : `${namespace}/`}${name ?? `${generateName}*`}`,
      method: 'POST',
      fence: this.#fence,
      path: collectionPath(of, namespace),
      query: { fieldManager },
      // A custom resource without them is refused.
      body: { apiVersion: apiVersionOf(of), kind: of.kind, ...object },
      ...options,
    });
  }

  /** Replaces the object, or a subresource of it. Refused with a conflict when its resourceVersion is not the last. */
  update<T extends KubernetesObject>(of: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { subresource, signal } = options;
    return this.#transport.json({
      action: `update ${pluralOf(of, subresource)} ${keyOf(object)}`,
      method: 'PUT',
      fence: this.#fence,
      path: objectPath(of, keyOf(object), subresource),
      query: { fieldManager },
      body: object,
      signal,
    });
  }

  patch<T extends KubernetesObject>(
    of: Resource<T>,
    key: ObjectKey,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T> {
    const { subresource, contentType, force, fieldManager: manager = fieldManager, signal } = options;
    return this.#transport.json({
      action: `patch ${pluralOf(of, subresource)} ${key}`,
      method: 'PATCH',
      fence: this.#fence,
      path: objectPath(of, key, subresource),
      query: { fieldManager: manager, force },
      body: patch,
      contentType,
      signal,
    });
  }

  /** Whether there was something to delete. */
  async delete<T extends KubernetesObject>(
    of: Resource<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    const { signal, ...body } = options;
    try {
      await this.#transport.json({
        action: `delete ${of.plural} ${key}`,
        method: 'DELETE',
        fence: this.#fence,
        path: objectPath(of, key),
        body: { kind: 'DeleteOptions', apiVersion: 'v1', ...body },
        signal,
      });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Ends every call and watch, and closes the connections. Idempotent. */
  close(): void {
    this.#transport.close();
  }
}

function pluralOf<T extends KubernetesObject>(of: Resource<T>, subresource: string | undefined): string {
  return subresource === undefined ? of.plural : `${of.plural}/${subresource}`;
}
