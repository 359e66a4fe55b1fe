import type { ApiClient } from '../../kubernetes/client.ts';
import type { Secret } from '../../kubernetes/core.ts';
import { Reflector } from '../../kubernetes/reflector.ts';
import { type ObjectKey, secrets, splitKey } from '../../kubernetes/resource.ts';
import { Store } from '../../kubernetes/store.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';

/** The type that a Secret with a peer's password has, as in MetalLB, and the entry with it. */
const secretType = 'kubernetes.io/basic-auth';
const entry = 'password';
/** Of a TCP MD5 key (RFC 2385 on Linux). */
const maxKeyBytes = 80;

/** How long a Secret may take to be read before that is a fault; milliseconds. */
const patience = 3_000;

/** The password, or why there is none, with what to do about it. `isUnread`: the Secret is being read. */
export type Password = { readonly password: string } | { readonly problem: string; readonly isUnread?: true };

export type PasswordsOptions = {
  readonly client: ApiClient;
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

type Watched = {
  readonly store: Store<Secret>;
  readonly reflector: Reflector<Secret>;
  readonly since: number;
  /** When the patience ends. */
  readonly timer: Timer;
};

/**
 * The passwords of BGP peers, from the Secrets that BGPPeers name. Each Secret is watched by itself, so that this process
 * holds no other; none of it is written to the node's disk.
 */
export class Passwords {
  readonly #options: PasswordsOptions;
  readonly #watched = new Map<ObjectKey, Watched>();
  /** Those that are watched no more, until they have ended. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: PasswordsOptions) {
    this.#options = options;
  }

  /** From here on these Secrets are of interest, and no others. */
  want(keys: ReadonlySet<ObjectKey>): void {
    for (const [key, { reflector, timer }] of this.#watched) {
      if (keys.has(key)) continue;
      timer.cancel();
      this.#watched.delete(key);
      this.#end(reflector);
    }
    for (const key of keys) if (!this.#watched.has(key)) this.#watched.set(key, this.#watch(key));
  }

  of(key: ObjectKey): Password {
    const watched = this.#watched.get(key);
    if (watched === undefined) throw new TypeError(`the Secret ${key} is not watched`);
    const { store, reflector, since } = watched;
    if (!store.hasSynced) {
      const problem = `the Secret ${key} cannot be read`;
      if (reflector.isDenied) return { problem: `${problem}: let the speaker get, list and watch it` };
      const isUnread = this.#options.clock.now() - since < patience;
      return { problem: `${problem} yet`, ...(isUnread && { isUnread }) };
    }
    const secret = store.get(key);
    if (secret === undefined) return { problem: `there is no Secret ${key}: create it, of type ${secretType}` };
    if (secret.type !== secretType) {
      return { problem: `the Secret ${key} is of type ${secret.type ?? 'Opaque'}: it has to be ${secretType}` };
    }
    const password = Buffer.from(secret.data?.[entry] ?? '', 'base64').toString();
    if (password === '') return { problem: `the Secret ${key} has no ${entry}: add one` };
    if (Buffer.byteLength(password) > maxKeyBytes) {
      return { problem: `the ${entry} of the Secret ${key} is too long: ${maxKeyBytes} bytes are possible` };
    }
    return { password };
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.want(new Set());
    await Promise.all(this.#ending);
  }

  #watch(key: ObjectKey): Watched {
    const { onChange, ...edge } = this.#options;
    const { namespace, name } = splitKey(key);
    const store = new Store<Secret>({ log: edge.log });
    const fieldSelector = `metadata.name=${name}`;
    const reflector = new Reflector({ ...edge, resource: secrets, namespace, fieldSelector, store, trim });
    store.onChange(onChange);
    reflector.synced.then(onChange, () => {}); // Stopped.
    reflector.filled.catch(() => {});
    reflector.start();
    return { store, reflector, since: edge.clock.now(), timer: edge.clock.after(patience + 1, onChange) };
  }

  #end(reflector: Reflector<Secret>): void {
    const ended = reflector.stop();
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }
}

function trim({ metadata: { namespace, name }, type, data = {} }: Secret): Secret {
  const password = data[entry];
  return {
    metadata: { ...(namespace === undefined ? {} : { namespace }), name },
    ...(type === undefined ? {} : { type }),
    ...(password === undefined ? {} : { data: { [entry]: password } }),
  };
}
