import type { Daemon, Place } from './daemon.ts';
import type { Announcement, RouterDescription } from './router.ts';
import { removeRunDirectory } from './run-directory.ts';

/** What routers that are one daemon have in common: how it ends, and what they are to announce. */
export abstract class OneDaemon {
  protected readonly description: RouterDescription;
  protected readonly place: Place;
  protected readonly announced = new Map<string, Announcement>();
  protected daemon: Daemon | undefined;

  constructor(description: RouterDescription, place: Place) {
    this.description = description;
    this.place = place;
  }

  abstract start(): Promise<void>;

  async restart(): Promise<void> {
    await this.daemon?.stop();
    await this.start();
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    await this.daemon?.signal(signal);
  }

  log(): string {
    return this.daemon?.log() ?? '';
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
    removeRunDirectory(this.place.directory);
  }
}
