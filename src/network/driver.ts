/** The one interface of all network drivers: what each contributes to config.json, and how it is started. */
import type { PortMapping } from "../core/ports.ts";
import type { Hooks } from "../oci/runtime.ts";

/** What a driver is asked for. */
export interface NetworkRequest {
  readonly ports: readonly PortMapping[];
  /** Directory of the box, for the API socket, pid file and log. Absolute. */
  readonly boxDirectory: string;
  /** Absolute path of the slirp4netns program. */
  readonly helper: string;
  /** Command line of this devbox, for the hook; the first word is an absolute path. */
  readonly self: readonly string[];
}

/** What a driver contributes to the bundle. */
export interface NetworkContribution {
  /** createRuntime and poststop hooks that any OCI runtime can run: `devbox hook slirp4netns …`. */
  readonly hooks: Hooks;
  /** Nameservers that the box's /etc/resolv.conf names instead of the host's. Empty: the host's file as it is. */
  readonly nameservers: readonly string[];
  /** Address of the box, for its own line in /etc/hosts. */
  readonly address: string | undefined;
}

/** A network that works: ended by closing the exit pipe's last writing end, or by the poststop hook. */
export interface RunningNetwork {
  readonly pid: number;
  /** Ports as bound, free ones filled in. */
  readonly ports: readonly PortMapping[];
}
