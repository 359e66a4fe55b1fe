import type { Clock } from '../runtime/clock.ts';
import type { Metrics } from './metrics.ts';

/**
 * The process metrics that every Prometheus client has, from numbers the kernel keeps anyway. The library's own set
 * would add a timer of 10 ms and an observer of garbage collection to every node of a cluster.
 */
export function registerProcessMetrics(metrics: Metrics, clock: Clock): void {
  const begun = (clock.wallTime() - process.uptime() * 1_000) / 1_000;
  const register = (type: 'counter' | 'gauge', name: string, help: string, value: () => number) =>
    metrics.register(type, { name, help, labels: [] }, () => [{ labels: {}, value: value() }]);
  register('counter', 'process_cpu_seconds_total', 'Processor time used, user and system, in seconds', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  register('gauge', 'process_start_time_seconds', 'When the process was started, in seconds since 1970', () => begun);
  register('gauge', 'process_resident_memory_bytes', 'Resident memory in bytes', () => process.memoryUsage.rss());
  register(
    'gauge',
    'nodejs_heap_size_used_bytes',
    'JavaScript heap in use, in bytes',
    () => process.memoryUsage().heapUsed,
  );
}
