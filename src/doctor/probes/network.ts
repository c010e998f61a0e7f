/** The network of boxes: a tap device, and the program that serves it. */
import { AT_FDCWD, CLONE_NEWNET, O_CLOEXEC, O_RDWR } from "../../../ffi/constants.ts";
import { installHint } from "../../host/distribution.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { PlanBuilder } from "../../launch/plan.ts";
import { type Finding, notTried, type Probe } from "../finding.ts";
import { type Outcome, tryInNamespaces } from "../trial.ts";

const withoutIt = "until then: devbox run --network none, or --network host";

export const probeNetwork: Probe = async ({ host }) => [
  await probeTap("/dev/net/tun", host),
  await probeSlirp(host.helpers.slirp4netns),
];

// linux/if_tun.h; struct ifreq: a name of 16 bytes, then a union of 24 that starts with the flags (netdevice(7))
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const ifreqBytes = 40;
const ifreqFlags = 16;

/** Makes a tap device as slirp4netns does, in a network namespace that is gone with it. */
export async function probeTap(path: string, host: HostFacts): Promise<Finding> {
  const request = new Uint8Array(ifreqBytes);
  request.set(new TextEncoder().encode("tap0"));
  new DataView(request.buffer).setInt16(ifreqFlags, IFF_TAP | IFF_NO_PI, true);
  const steps = (plan: PlanBuilder): void => {
    const file = plan.slot();
    plan.syscall(`open ${path}`, "openat", [AT_FDCWD, plan.string(path), O_RDWR | O_CLOEXEC, 0], { save: file });
    plan.syscall(`make a tap device with ${path}`, "ioctl", [{ slot: file }, TUNSETIFF, plan.bytes(request)]);
  };
  return judgeTap(path, await tryInNamespaces("make a tap device", host, steps, { flags: CLONE_NEWNET }));
}

export function judgeTap(path: string, outcome: Outcome): Finding {
  const name = "tap device";
  if (outcome.ok) return { name, status: "ok", detail: path };
  const detail = `${outcome.step}: ${outcome.why}`;
  if (outcome.isUntried) return notTried(name, detail);
  return { name, status: "warn", detail, fix: `sudo modprobe tun && sudo chmod 666 ${path}; ${withoutIt}` };
}

async function probeSlirp(program: string | undefined): Promise<Finding> {
  const name = "slirp4netns";
  const fix = `${installHint("slirp4netns")}; ${withoutIt}`;
  if (program === undefined) return { name, status: "warn", detail: "not found", fix };
  const child = Bun.spawn([program, "--version"], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) return { name, status: "warn", detail: `${program} --version fails`, fix };
  return judgeSlirp(program, text);
}

/** `text`: what `slirp4netns --version` says. 1.1 brought all options that devbox uses. */
export function judgeSlirp(program: string, text: string): Finding {
  const name = "slirp4netns";
  const [, version, major, minor] = /^slirp4netns version ((\d+)\.(\d+)\S*)/m.exec(text) ?? [];
  if (version === undefined)
    return { name, status: "warn", detail: `${program} does not say its version`, fix: installHint("slirp4netns") };
  const isNewEnough = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 1);
  if (isNewEnough) return { name, status: "ok", detail: `${program}, version ${version}` };
  const detail = `${program}, version ${version}, is older than 1.1`;
  return { name, status: "warn", detail, fix: installHint("slirp4netns") };
}
