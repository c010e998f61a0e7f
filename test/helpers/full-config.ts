/** A config.json in which every property of the runtime-spec is set, as plain JSON. */

const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const device = { major: 8, minor: 0 };
const hook = { path: "/bin/hook", args: ["hook", "now"], env: ["A=1"], timeout: 5 };

export const fullConfig = {
  ociVersion: "1.2.0",
  root: { path: "rootfs", readonly: true },
  process: {
    terminal: true,
    consoleSize: { height: 25, width: 80 },
    cwd: "/work",
    env: ["PATH=/bin", "EMPTY="],
    args: ["sh", "-c", ""],
    user: { uid: 1000, gid: 100, umask: 0o27, additionalGids: [5, 6] },
    capabilities: {
      bounding: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      inheritable: ["CAP_KILL"],
      ambient: ["CAP_KILL"],
    },
    rlimits: [
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 },
      { type: "RLIMIT_CORE", soft: 0, hard: "unlimited" },
    ],
    noNewPrivileges: true,
    oomScoreAdj: -100,
    apparmorProfile: "box",
    selinuxLabel: "system_u:system_r:box_t:s0",
    scheduler: {
      policy: "SCHED_DEADLINE",
      nice: -5,
      flags: ["SCHED_FLAG_RECLAIM"],
      runtime: 10,
      deadline: 20,
      period: 30,
    },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
    execCPUAffinity: { initial: "0-1,3", final: "2" },
  },
  hostname: "box",
  domainname: "example",
  mounts: [
    {
      destination: "/data",
      type: "none",
      source: "/srv",
      options: ["rbind", "idmap"],
      uidMappings: mappings,
      gidMappings: mappings,
    },
  ],
  hooks: {
    prestart: [hook],
    createRuntime: [hook],
    createContainer: [hook],
    startContainer: [hook],
    poststart: [hook],
    poststop: [hook],
  },
  annotations: { "org.example.key": "value" },
  linux: {
    namespaces: [
      { type: "pid" },
      { type: "network", path: "/run/netns/a" },
      ...["mount", "ipc", "uts", "user", "cgroup", "time"].map((type) => ({ type })),
    ],
    uidMappings: mappings,
    gidMappings: mappings,
    devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }],
    sysctl: { "net.ipv4.ip_forward": "1", "kernel.domainname": "example" },
    seccomp: {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 1,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/agent",
      listenerMetadata: "who",
      syscalls: [
        {
          names: ["getcwd"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 38,
          args: [{ index: 1, value: 2, valueTwo: 3, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    },
    maskedPaths: ["/proc/kcore"],
    readonlyPaths: ["/proc/sys"],
    rootfsPropagation: "rslave",
    cgroupsPath: "/devbox/box",
    resources: {
      devices: [{ allow: true, type: "c", major: 10, minor: 229, access: "rw" }],
      memory: {
        limit: 536_870_912,
        reservation: 1,
        swap: -1,
        kernel: -1,
        kernelTCP: 2,
        swappiness: 60,
        disableOOMKiller: false,
        useHierarchy: true,
        checkBeforeUpdate: true,
      },
      cpu: {
        shares: 1024,
        quota: 100_000,
        burst: 1000,
        period: 100_000,
        realtimeRuntime: 950_000,
        realtimePeriod: 1_000_000,
        cpus: "0-1",
        mems: "0",
        idle: 0,
      },
      pids: { limit: 100 },
      blockIO: {
        weight: 10,
        leafWeight: 11,
        weightDevice: [{ ...device, weight: 500, leafWeight: 300 }],
        throttleReadBpsDevice: [{ ...device, rate: 600 }],
        throttleWriteBpsDevice: [{ ...device, rate: 600 }],
        throttleReadIOPSDevice: [{ ...device, rate: 600 }],
        throttleWriteIOPSDevice: [{ ...device, rate: 600 }],
      },
      hugepageLimits: [{ pageSize: "2MB", limit: 209_715_200 }],
      network: { classID: 1_048_577, priorities: [{ name: "eth0", priority: 500 }] },
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } },
      unified: { "memory.high": "max" },
    },
    timeOffsets: { monotonic: { secs: -172_800, nanosecs: 5 }, boottime: { secs: 1 } },
    netDevices: { eth7: { name: "eth0" } },
    mountLabel: "system_u:object_r:box_file_t:s0",
    personality: { domain: "LINUX32" },
    memoryPolicy: { mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] },
  },
};

/** 2^64-1 in JSON is what `unlimited` stands for. */
export function jsonOf(config: unknown): string {
  return JSON.stringify(config).replaceAll('"hard":"unlimited"', '"hard":18446744073709551615');
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Each value within a document and the path to it, members of lists by their number. */
export function* placesOf(
  value: unknown,
  path: readonly (string | number)[] = [],
): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path;
  if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* placesOf(item, [...path, index]);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) yield* placesOf(item, [...path, key]);
}

export function valueAt(document: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce((value: unknown, key) => (value as Record<string | number, unknown>)[key], document);
}

/** A copy of the document with another value at the path; undefined takes the member away. */
export function withValue(document: unknown, path: readonly (string | number)[], value: unknown): Json {
  // Not structuredClone, for which what occurs twice stays one thing.
  const copy: unknown = JSON.parse(JSON.stringify(document));
  const parent = valueAt(copy, path.slice(0, -1)) as Record<string | number, unknown>;
  parent[path.at(-1) ?? ""] = value;
  return copy as Json;
}

/** As messages write it: `linux.namespaces[2].type`. */
export function pathText(path: readonly (string | number)[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .slice(1);
}
