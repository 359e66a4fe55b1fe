// Discovers routers on the interfaces named by its arguments, in a process of its own. Writes a line when it is at work
// and one for every event.
import { formatAddress } from '../../src/ip/address.ts';
import { RouterDiscovery } from '../../src/layer2/router-discovery.ts';

const discovery = new RouterDiscovery({
  onEvent: (event) =>
    console.log(event.type === 'router' ? `${event.name} ${formatAddress(event.address)}` : `error ${event.code}`),
});
discovery.setInterfaces(process.argv.slice(2));
console.log('at work');
process.stdin.on('end', () => process.exit()).resume();
