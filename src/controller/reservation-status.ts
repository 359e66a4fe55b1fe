import type { Allocator } from '../allocator/allocator.ts';
import type { AddressReservationStatus } from '../api/address-reservation.ts';
import { formatAddress } from '../ip/address.ts';
import { type AddressReservationObject, addressReservations } from '../kubernetes/config-kinds.ts';
import { StatusWriter, type StatusWriterOptions } from '../kubernetes/status-writer.ts';
import type { Store } from '../kubernetes/store.ts';
import { type Clock, formatSeconds, type Timer } from '../runtime/clock.ts';

/** For how long changes are gathered before all reservations are looked at; milliseconds. */
const gatherTime = 200;

export type ReservationStatusOptions = Omit<
  StatusWriterOptions<AddressReservationObject, AddressReservationStatus>,
  'resource' | 'objects' | 'wanted' | 'textOf'
> & {
  readonly reservations: Pick<Store<AddressReservationObject>, 'get' | 'list' | 'onChange'>;
  readonly allocator: Pick<Allocator, 'reservation'>;
};

/**
 * Keeps the status of the reservations equal to what the allocator has come to. One that is not in force is left alone.
 */
export class ReservationStatus {
  readonly #writer: StatusWriter<AddressReservationObject, AddressReservationStatus>;
  readonly #reservations: ReservationStatusOptions['reservations'];
  readonly #clock: Clock;
  #pending: Timer | undefined;
  #stopped = false;

  constructor(options: ReservationStatusOptions) {
    this.#reservations = options.reservations;
    this.#clock = options.clock;
    this.#writer = new StatusWriter<AddressReservationObject, AddressReservationStatus>({
      ...options,
      resource: addressReservations,
      objects: options.reservations,
      wanted: (name) => statusOf(options.allocator, name),
      textOf,
    });
  }

  /** To be called when addresses have come into use or gone out of it, and when others are reserved. Returns at once. */
  look(): void {
    if (this.#stopped) return;
    this.#pending ??= this.#clock.after(gatherTime, () => {
      this.#pending = undefined;
      for (const { metadata } of this.#reservations.list()) this.#writer.look(metadata.name, 0);
    });
  }

  /** Idempotent. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#pending?.cancel();
    return this.#writer.stop();
  }
}

type Written = { readonly [Field in keyof AddressReservationStatus]: AddressReservationStatus[Field] | null };

function statusOf(allocator: Pick<Allocator, 'reservation'>, name: string): Written | undefined {
  const state = allocator.reservation(name);
  if (state === undefined) return undefined;
  const { addresses, holder, since } = state;
  return {
    addresses: addresses.map(({ address }) => formatAddress(address)),
    holder: holder ?? null,
    since: since === undefined ? null : formatSeconds(since),
  };
}

function textOf({ addresses, holder, since }: Written = {}): string {
  return JSON.stringify([addresses ?? [], holder ?? null, since ?? null]);
}
