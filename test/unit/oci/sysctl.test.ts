import { expect, test } from "bun:test";
import { sysctlNamespace, sysctlParts } from "../../../src/oci/sysctl.ts";

test.each([
  ["net.ipv4.ip_forward", ["net", "ipv4", "ip_forward"], "network"],
  ["net/ipv4/conf/eno2.100/rp_filter", ["net", "ipv4", "conf", "eno2.100", "rp_filter"], "network"],
  ["net.ipv4.conf.eno2/100.rp_filter", ["net", "ipv4", "conf", "eno2.100", "rp_filter"], "network"],
  ["fs.mqueue.msg_max", ["fs", "mqueue", "msg_max"], "ipc"],
  ["kernel/shmmax", ["kernel", "shmmax"], "ipc"],
  ["kernel.domainname", ["kernel", "domainname"], "uts"],
  ["kernel.panic", ["kernel", "panic"], undefined],
  ["vm.swappiness", ["vm", "swappiness"], undefined],
  ["network.a", ["network", "a"], undefined],
] as const)("the parameter %s", (name, parts, type) => {
  expect(sysctlParts(name)).toEqual([...parts]);
  expect(sysctlNamespace([...parts])).toBe(type);
});

test.each(["", ".", "a..b", "a/../b", "net/ipv4/..", "net.ipv4.//.x", "a b", "net.ipv4.x\n"])("no name: %p", (name) => {
  expect(sysctlParts(name)).toBeUndefined();
});
