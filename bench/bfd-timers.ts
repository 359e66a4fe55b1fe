import { createSocket } from 'node:dgram';

/**
 * The baseline of bench/bfd.ts, a process of its own: says "here" every INTERVAL ms to PEER by JavaScript's own timers,
 * and counts how often PEER was not heard for MULTIPLIER intervals. Prints "ready", and the count when stdin ends. With
 * BLOCK, the event loop stands still for so many ms in each second.
 *
 *   node bfd-timers.ts PEER INTERVAL MULTIPLIER BLOCK
 */
const [peer, interval, multiplier, block] = process.argv.slice(2);
const period = Number(interval);
const detectionTime = period * Number(multiplier);
const port = 7949;
const socket = createSocket('udp4');
let falseDowns = 0;
let up = false;
let detection: NodeJS.Timeout | undefined;

socket.on('message', () => {
  up = true;
  clearTimeout(detection);
  detection = setTimeout(() => {
    if (up) falseDowns += 1;
    up = false;
  }, detectionTime);
});
socket.bind(port, () => console.log('ready'));
setInterval(() => socket.send('here', port, peer), period * 0.875);
if (Number(block) > 0) {
  setInterval(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(block)), 1_000);
}
process.stdin.on('end', () => {
  console.log(falseDowns);
  process.exit(0);
});
process.stdin.resume();
