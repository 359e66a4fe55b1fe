import type { ResourceMeta } from './resource.ts';

/** `configurationstates.metallb.io/v1beta1`: whether one program takes the configuration as it is. Written by it. */
export type ConfigurationState = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly status?: {
    readonly result?: 'Valid' | 'Invalid' | 'Unknown';
    /** What stands against it, a line for each fault. */
    readonly errorSummary?: string;
    /** By type. */
    readonly conditions?: readonly ConfigurationCondition[];
  };
};

export type ConfigurationCondition = {
  readonly type: 'poolReconcilerValid' | 'configReconcilerValid';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: 'Reconciled' | 'ConfigurationError' | 'UnknownError';
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
};

/** Labels by which the objects are found; only a speaker's has the second. */
export const configurationStateLabels = {
  componentType: 'metallb.io/component-type',
  nodeName: 'metallb.io/node-name',
} as const;

/** The name of the object that the program writes. */
export function configurationStateName(component: 'controller' | { readonly speakerOn: string }): string {
  return component === 'controller' ? component : `speaker-${component.speakerOn}`;
}
