/** What this laptop has and who calls, as plain data: an argument of everything that decides by it, so a test can be any laptop. */

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

export interface HostFacts {
  readonly architecture: "x86_64" | "aarch64";
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly home: string;
  /** The user's ranges in /etc/subuid and /etc/subgid (subuid(5)), in file order. */
  readonly subuids: readonly IdRange[];
  readonly subgids: readonly IdRange[];
  /** The ids that our own user namespace has (user_namespaces(7), /proc/PID/uid_map); looked up for root only. */
  readonly ownUids: readonly IdRange[];
  readonly ownGids: readonly IdRange[];
  /** Permitted capabilities of root, a bit each (capabilities(7)): inside another container it has not all. Only root has them. */
  readonly capabilities?: bigint;
  /** Absolute paths of helper programs found on PATH (and /usr/sbin, /sbin); undefined: not there. */
  readonly helpers: {
    readonly newuidmap: string | undefined;
    readonly newgidmap: string | undefined;
    readonly slirp4netns: string | undefined;
  };
}
