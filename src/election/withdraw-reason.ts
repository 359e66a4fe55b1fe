/** Why a speaker does not announce a Service on the LAN. The names are MetalLB's, where dashboards may know them. */
export type WithdrawReason =
  | 'serviceDeleted'
  | 'notLoadBalancer'
  | 'noIPAllocated'
  | 'invalidIP'
  /** The address is in no pool. */
  | 'ipNotAllowed'
  | 'loadBalancerIPChanged'
  /** The Service shares its address, and is advertised by the labels of Services, which sharers may not have alike. */
  | 'sharedIPWithServiceSelector'
  /** No advertisement of the pool is about this Service and this node. */
  | 'noMatchingAdvertisement'
  /** Another node announces it, or none can: no endpoint serves, or every candidate is excluded. */
  | 'notOwner'
  | 'internalError';
