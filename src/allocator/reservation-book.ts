import type { Reservation } from '../config/config.ts';
import { type Address, sameAddress } from '../ip/address.ts';
import type { ServiceKey } from './wish.ts';

/** A reservation, and the addresses that it stands for: those it names, or those found for it; empty until then. */
export type Booking = { readonly reservation: Reservation; readonly addresses: readonly Address[] };

/** The reservations, by name and by Service. */
export class ReservationBook {
  readonly #byName = new Map<string, Booking>();
  readonly #byService = new Map<ServiceKey, Map<string, Booking>>();

  get(name: string): Booking | undefined {
    return this.#byName.get(name);
  }

  all(): readonly Booking[] {
    return [...this.#byName.values()];
  }

  of(service: ServiceKey): readonly Booking[] {
    return this.#byName.size === 0 ? [] : [...(this.#byService.get(service)?.values() ?? [])];
  }

  /** Replaces the booking of the same name. */
  set(booking: Booking): void {
    const { name, service } = booking.reservation;
    this.delete(name);
    this.#byName.set(name, booking);
    const own = this.#byService.get(service) ?? new Map();
    this.#byService.set(service, own.set(name, booking));
  }

  delete(name: string): void {
    const booking = this.#byName.get(name);
    if (!booking) return;
    this.#byName.delete(name);
    const own = this.#byService.get(booking.reservation.service);
    own?.delete(name);
    if (own?.size === 0) this.#byService.delete(booking.reservation.service);
  }

  reserves(service: ServiceKey, address: Address): boolean {
    return this.of(service).some(({ addresses }) => addresses.some((one) => sameAddress(one, address)));
  }

  /** For how long the address is kept for the Service beyond its end; milliseconds. */
  retainFor(service: ServiceKey, address: Address): number {
    const bookings = this.of(service).filter(({ addresses }) => addresses.some((one) => sameAddress(one, address)));
    return Math.max(0, ...bookings.map(({ reservation }) => reservation.retainFor));
  }
}
