import type { ReservationDeclaration } from '../api/address-reservation.ts';
import type { ApiProblem } from '../api/field.ts';
import { formatAddress } from '../ip/address.ts';

/** An address is kept for one Service, and what is kept for a Service is said in one place. The input is by name. */
export function findReservationConflicts(reservations: readonly ReservationDeclaration[]): readonly ApiProblem[] {
  const ofService = new Map<string, string>();
  const ofAddress = new Map<string, string>();
  return reservations.flatMap(({ object, service, addresses }) => {
    const problems: ApiProblem[] = [];
    const earlier = ofService.get(service);
    if (earlier !== undefined) {
      const message = `has a reservation already, ${earlier}: put all its addresses into one`;
      problems.push({ object, field: 'spec.service', value: service, message });
    }
    ofService.set(service, earlier ?? object);
    for (const [index, address] of addresses.entries()) {
      const text = formatAddress(address);
      const holder = ofAddress.get(text);
      if (holder !== undefined && earlier === undefined) {
        const message = `is reserved by ${holder} already: remove it from one of the two`;
        problems.push({ object, field: `spec.addresses[${index}]`, value: text, message });
      }
      ofAddress.set(text, holder ?? object);
    }
    return problems;
  });
}
