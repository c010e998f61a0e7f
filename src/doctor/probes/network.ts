/** The network of boxes: a tap device, and the program that serves it. */
import { closeSync, constants, openSync } from "node:fs";
import { describeCause } from "../../core/errors.ts";
import { installHint } from "../../host/distribution.ts";
import type { Finding, Probe } from "../finding.ts";

const withoutIt = "until then: devbox run --network none, or --network host";

export const probeNetwork: Probe = async ({ host }) => [
  probeTun("/dev/net/tun"),
  await probeSlirp(host.helpers.slirp4netns),
];

/** Opening it asks the kernel for the driver, and gives nothing away. */
export function probeTun(path: string): Finding {
  const name = "tap device";
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
    return { name, status: "ok", detail: path };
  } catch (error) {
    const detail = `${path}: ${describeCause(error)}`;
    return { name, status: "warn", detail, fix: `sudo modprobe tun && sudo chmod 666 ${path}; ${withoutIt}` };
  }
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
  if (version === undefined) return { name, status: "warn", detail: `${program} does not say its version` };
  const isNewEnough = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 1);
  if (isNewEnough) return { name, status: "ok", detail: `${program}, version ${version}` };
  const detail = `${program}, version ${version}, is older than 1.1`;
  return { name, status: "warn", detail, fix: installHint("slirp4netns") };
}
