import { uptime } from 'node:os';

/**
 * Milliseconds since the machine was started, the time it was suspended included, which `Clock.now` does not count. Of
 * use where somebody else's patience runs on while this process, or this machine, does not. In steps of 10 ms.
 */
export type Uptime = () => number;

export const systemUptime: Uptime = () => uptime() * 1_000;
