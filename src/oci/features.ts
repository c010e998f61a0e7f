/** What the runtime implements, whatever the machine has (runtime-spec features.md, features-linux.md). */
import {
  capabilityNames,
  hookPoints,
  memoryPolicyFlags,
  memoryPolicyModes,
  namespaceTypes,
  seccompActions,
  seccompArchitectures,
  seccompFlags,
  seccompOperators,
} from "./runtime-words.ts";

/** What others know: the sandbox its mount options, the control groups their managers. */
export interface FeatureFacts {
  /** Of the runtime-spec. */
  readonly specVersion: string;
  /** Names of mount options, those of single file systems left out. */
  readonly mountOptions: readonly string[];
  readonly cgroup: Features["linux"]["cgroup"];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  readonly linux: {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly cgroup: {
      readonly v1: boolean;
      readonly v2: boolean;
      readonly systemd: boolean;
      readonly systemdUser: boolean;
      readonly rdma: boolean;
    };
    readonly seccomp: {
      readonly enabled: boolean;
      readonly actions: readonly string[];
      readonly operators: readonly string[];
      readonly archs: readonly string[];
      readonly knownFlags: readonly string[];
      readonly supportedFlags: readonly string[];
    };
    readonly apparmor: { readonly enabled: boolean };
    readonly selinux: { readonly enabled: boolean };
    readonly intelRdt: { readonly enabled: boolean };
    readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] };
    readonly mountExtensions: { readonly idmap: { readonly enabled: boolean } };
  };
  readonly annotations: Readonly<Record<string, string>>;
  /** Annotations of config.json that would let a container do more than its config says: these write to files of the host. */
  readonly potentiallyUnsafeConfigAnnotations: readonly string[];
}

/** The document of `features`. */
export function features({ specVersion, mountOptions, cgroup, annotations }: FeatureFacts): Features {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: specVersion,
    hooks: hookPoints,
    mountOptions: mountOptions.toSorted(),
    linux: {
      namespaces: namespaceTypes,
      capabilities: capabilityNames,
      cgroup,
      seccomp: {
        enabled: true,
        actions: seccompActions,
        operators: seccompOperators,
        archs: seccompArchitectures,
        knownFlags: seccompFlags,
        supportedFlags: seccompFlags,
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: false },
      memoryPolicy: { modes: memoryPolicyModes, flags: memoryPolicyFlags },
      mountExtensions: { idmap: { enabled: true } },
    },
    annotations,
    potentiallyUnsafeConfigAnnotations: ["run.oci.hooks.stderr", "run.oci.hooks.stdout"],
  };
}
