/** Paths hidden from the box, and paths that it may only read: docker's lists (moby, daemon/pkg/oci/defaults.go). */
import type { RunOptions } from "./options.ts";

const maskedByDefault: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

const readonlyByDefault: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

export interface ProtectedPaths {
  readonly masked: readonly string[];
  readonly readonly: readonly string[];
}

/** The lists after `--privileged` (none) and `--security-opt unmask=…|mask=…`; unmask takes `ALL`, paths, and `*` in them. */
export function protectedPaths({ privileged, security }: Pick<RunOptions, "privileged" | "security">): ProtectedPaths {
  if (privileged) return { masked: [], readonly: [] };
  const patterns = security.unmask.map(toPattern);
  const stays = (path: string): boolean => !patterns.some((pattern) => pattern.test(path));
  return {
    masked: [...new Set([...maskedByDefault.filter(stays), ...security.mask])],
    readonly: readonlyByDefault.filter(stays),
  };
}

/** `*` stands for any characters but "/", as in Go's path.Match, which podman uses. */
function toPattern(text: string): RegExp {
  if (text.toLowerCase() === "all") return /^/;
  const parts = text.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`);
}
