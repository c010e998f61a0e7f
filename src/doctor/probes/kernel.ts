/** The kernel's release. What it can is found by the other probes, by trying; the number explains what they find. */
import type { Finding, Probe } from "../finding.ts";

/** The oldest release that is tested. mount_setattr(2) is of 5.12, overlayfs in user namespaces of 5.11. */
const oldest = { major: 5, minor: 14 };

export const probeKernel: Probe = async ({ readText }) => [
  judgeKernel(readText("/proc/sys/kernel/osrelease")?.trim() ?? "unknown"),
];

/** `release` as in uname(2): `6.1.0-18-amd64`. */
export function judgeKernel(release: string): Finding {
  const name = "kernel";
  const match = /^(\d+)\.(\d+)/.exec(release);
  const [major, minor] = [Number(match?.[1]), Number(match?.[2])];
  const isNewEnough = major > oldest.major || (major === oldest.major && minor >= oldest.minor);
  if (isNewEnough) return { name, status: "ok", detail: release };
  return {
    name,
    status: "warn",
    detail: `${release} is older than ${oldest.major}.${oldest.minor}, the oldest that is tested`,
    fix: "use a newer kernel",
  };
}
