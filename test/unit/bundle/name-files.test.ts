import { describe, expect, test } from "bun:test";
import { hostsFile, resolvConf } from "../../../src/bundle/name-files.ts";

describe("/etc/hosts", () => {
  const base = { hostFile: undefined, addHosts: [], hostname: "box", address: undefined };

  test("loopback, added hosts, the own address", () => {
    const lines = hostsFile({
      ...base,
      addHosts: ["db:10.0.0.7", "six:fe80::1", "seven:[::7]"],
      address: "10.0.2.100",
    }).split("\n");
    expect(lines[0]).toBe("127.0.0.1\tlocalhost");
    expect(lines.slice(-5)).toEqual(["10.0.0.7\tdb", "fe80::1\tsix", "::7\tseven", "10.0.2.100\tbox", ""]);
  });

  test("a box with loopback only finds itself there", () => expect(hostsFile(base)).toEndWith("\n127.0.1.1\tbox\n"));

  test("on the host's network, the host's file and what is added", () => {
    expect(hostsFile({ ...base, hostFile: "1.2.3.4 host\n\n", addHosts: ["a:5.6.7.8"] })).toBe(
      "1.2.3.4 host\n5.6.7.8\ta\n",
    );
  });
});

describe("/etc/resolv.conf", () => {
  const host = "# comment\nnameserver 127.0.0.53\noptions edns0\nsearch example.org\n";

  const base = { hostFile: host, nameservers: [], search: [], options: [] };

  test("the host's as it is", () => expect(resolvConf(base)).toBe(host));

  test("another search list, other options: the rest stays", () => {
    expect(resolvConf({ ...base, search: ["a.b", "c"], options: ["ndots:2", "rotate"] })).toBe(
      "nameserver 127.0.0.53\nsearch a.b c\noptions ndots:2 rotate\n",
    );
    expect(resolvConf({ ...base, search: ["."] })).toBe("nameserver 127.0.0.53\noptions edns0\n");
  });

  test("other nameservers, the same search list and options", () => {
    expect(resolvConf({ ...base, nameservers: ["10.0.2.3", "::1"] })).toBe(
      "options edns0\nsearch example.org\nnameserver 10.0.2.3\nnameserver ::1\n",
    );
  });
});
