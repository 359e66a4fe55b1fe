/**
 * What a peer may make us read, keep or start. Every length and count from the network is held against one of these
 * before it is used. Upstream has most of them only in versions later than the ones MetalLB ships.
 */

/** A node name. Kubernetes' own limit for node names is 253. */
export const maxNameBytes = 512;
/** Application data of a node, sent with every `alive`. The same limit as upstream. */
export const maxMetaBytes = 512;
/** The text of an `err` reply; it ends up in a log line. */
export const maxErrorBytes = 1024;
/** A label, one length byte on the wire. */
export const maxLabelBytes = 255;

/** Entries of one msgpack map. The largest of ours has eight. */
export const maxMapKeys = 32;
export const maxKeyBytes = 64;
/** Values that may be skipped, nested ones included, within one map: unknown keys cost a bounded time. */
export const maxSkippedValues = 64;
/** One encoded message or node state, without the compressed buffer that a `compress` message holds. */
export const maxRecordBytes = 8 * 1024;

/** The largest UDP payload there is, and the most one packet may expand to. */
export const maxPacketBytes = 65_535;
/** compound in compound, compress in compound: how deep a packet or a stream may be wrapped. */
export const maxWrapping = 3;
/** Messages in one compound that we send; the count is one byte. */
export const maxCompoundParts = 255;

/** One request or reply over a stream, as received. */
export const maxStreamBytes = 4 * 1024 * 1024;
/** The same after decompression. */
export const maxInflatedBytes = 8 * 1024 * 1024;
/** All streams together, as received and not yet understood. */
export const maxBufferedBytes = 32 * 1024 * 1024;
/** Streams that peers hold open towards us. */
export const maxStreams = 128;
/** How long a peer may keep one open, in milliseconds. */
export const maxStreamTime = 10_000;

/** Members in the table, dead and departed ones included. */
export const maxMembers = 10_000;
/** Claims that are still to be gossiped: at most one about each member. */
export const maxBroadcasts = maxMembers;
/** Indirect pings that we carry out for others at one time. */
export const maxRelays = 1024;
/** What one packet may make us send at once: acks, pings for others, objections. Peers ask for one thing at a time. */
export const maxAnswers = 8;

/** One message of an application. */
export const maxMessageBytes = 1024 * 1024;
/** What an application adds to a push/pull. */
export const maxUserStateBytes = 1024 * 1024;
/** Messages of our own that wait for a stream, and their bytes. */
export const maxWaitingMessages = 1024;
export const maxWaitingBytes = 32 * 1024 * 1024;
/** Streams on which such messages go out at one time. */
export const maxMessageStreams = 16;
/** Members whose reachability is looked into at one time. */
export const maxReachChecks = 1024;

export const maxUint8 = 0xff;
export const maxUint16 = 0xffff;
export const maxUint32 = 0xffff_ffff;
