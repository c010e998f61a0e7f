/** Inputs of `createBundle` with everything usual, so that a test names only what it is about. */
import type { BundleInput } from "../../src/bundle/bundle.ts";
import type { RunOptions } from "../../src/bundle/options.ts";
import type { HostFacts } from "../../src/host/facts.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { ImageExecution } from "../../src/oci/image.ts";
import type { StoredImage } from "../../src/store/types.ts";

/** A laptop with an ordinary user who has 65536 subordinate ids. */
export const laptop: HostFacts = {
  architecture: "x86_64",
  uid: 1000,
  gid: 1000,
  userName: "ada",
  home: "/home/ada",
  subuids: [{ start: 100_000, count: 65_536 }],
  subgids: [{ start: 100_000, count: 65_536 }],
  ownUids: [],
  ownGids: [],
  helpers: { newuidmap: "/usr/bin/newuidmap", newgidmap: "/usr/bin/newgidmap", slirp4netns: "/usr/bin/slirp4netns" },
};

export function runOptions(changes: Partial<RunOptions> = {}): RunOptions {
  return {
    command: [],
    entrypoint: undefined,
    name: undefined,
    hostname: undefined,
    user: undefined,
    workdir: undefined,
    env: [],
    labels: {},
    interactive: false,
    tty: false,
    mounts: [],
    devices: [],
    network: "none",
    ports: [],
    dns: [],
    addHosts: [],
    dnsSearch: [],
    dnsOptions: [],
    domainname: undefined,
    groupAdd: [],
    oomScoreAdj: undefined,
    readonlyRoot: false,
    capAdd: [],
    capDrop: [],
    privileged: false,
    security: { noNewPrivileges: false, seccomp: "default", unmask: [], mask: [] },
    ulimits: [],
    shmSizeBytes: 64 * 1024 * 1024,
    init: false,
    sysctl: {},
    stopSignal: undefined,
    stopTimeoutSeconds: 10,
    keep: false,
    restart: { name: "no", maximumRetries: 0 },
    health: {},
    resources: {},
    log: { driver: "local", maxBytes: 20 * 1024 * 1024, maxFiles: 5 },
    detachKeys: undefined,
    ...changes,
  };
}

/** An image whose layers lie at the given paths (base first, relative to the store's root). */
export function storedImage(layerPaths: readonly string[], config: ImageExecution = {}): StoredImage {
  const diffIds = layerPaths.map((path) => digestOf(path));
  const descriptor: Descriptor = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: digestOf(""),
    size: 0,
  };
  return {
    reference: { kind: "registry", registry: "docker.io", repository: "library/test", tag: "1", digest: undefined },
    manifestDescriptor: descriptor,
    topDigest: descriptor.digest,
    manifest: {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: descriptor,
      layers: layerPaths.map((path) => ({ ...descriptor, digest: digestOf(path) })),
    },
    config: { os: "linux", architecture: "amd64", config, rootfs: { type: "layers", diff_ids: diffIds } },
    layers: layerPaths.map((path) => ({ chainId: digestOf(path), diffId: digestOf(path), path })),
  };
}

/** A box `0123…` below `storeRoot`; its directory is the caller's to make. */
export function bundleInput(
  storeRoot: string,
  source: BundleInput["source"],
  options: Partial<RunOptions> = {},
  changes: Partial<BundleInput> = {},
): BundleInput {
  const id = "0123456789abcdef";
  const directory = `${storeRoot}/boxes/${id}`;
  return {
    source,
    options: runOptions(options),
    facts: laptop,
    idMap: {
      uid: [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 100_000, size: 65_535 },
      ],
      gid: [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 100_000, size: 65_535 },
      ],
    },
    storeRoot,
    box: {
      id,
      directory,
      config: `${directory}/config.json`,
      state: `${directory}/state.json`,
      lock: `${directory}/lock`,
    },
    network: { hooks: {}, nameservers: [], address: undefined },
    capabilitySets: (uid) => {
      const held = uid === 0 ? ["CAP_CHOWN"] : [];
      return { bounding: ["CAP_CHOWN"], effective: held, permitted: held, inheritable: [], ambient: [] };
    },
    seccomp: undefined,
    ...changes,
  };
}
