import type { ApiClient } from '../kubernetes/client.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';

/** Something of which `garpoon status` tells. */
export type Topic = {
  readonly summary: string;
  /** Rejects with what went wrong in words, when the cluster does not say. */
  readonly look: (place: Place) => Promise<Finding>;
};

export type Place = {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly now: number;
};

export type Finding = {
  readonly table: string;
  /** In the order of the table. */
  readonly objects: readonly KubernetesObject[];
  /** For people, beside the table. */
  readonly remark: string | undefined;
  readonly isWell: boolean;
};
