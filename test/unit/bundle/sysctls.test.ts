import { expect, test } from "bun:test";
import { refuseHostSysctls } from "../../../src/bundle/sysctls.ts";

const check =
  (name: string, network: "none" | "host" = "none") =>
  () =>
    refuseHostSysctls({ sysctl: { [name]: "1" }, network });

test.each([
  "net.ipv4.ip_forward",
  "net/ipv4/conf/eth0.5/rp_filter",
  "fs.mqueue.msg_max",
  "kernel.shmmax",
  "kernel/sem",
])("%s is the box's own", (name) => expect(check(name)).not.toThrow());

test.each([
  "vm.swappiness",
  "kernel.core_pattern",
  "kernel.hostname",
  "fs.file-max",
  "net/../vm/swappiness",
  "net..vm",
  "",
  "net./x",
])("%p is refused", (name) => expect(check(name)).toThrow(expect.objectContaining({ code: "BAD_CONFIG" })));

test("with the host's network its parameters are the host's", () => {
  expect(check("net.ipv4.ip_forward", "host")).toThrow("--network host");
});
