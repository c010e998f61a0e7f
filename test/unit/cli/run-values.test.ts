import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSecurityOptions } from "../../../src/cli/run-security.ts";
import {
  checkNameServer,
  checkSignal,
  isAddress,
  parseDevice,
  parseEntrypoint,
  parseNetwork,
  parsePairs,
  parseSeconds,
  parseSize,
} from "../../../src/cli/run-values.ts";

/** `because` of the USAGE error. */
function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ code: "USAGE", exitStatus: 125 });
    return error instanceof Error && "because" in error ? error.because : undefined;
  }
  throw new Error("it was accepted");
}

test("sizes, as docker reads them", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["67108864", 67_108_864],
    ["64m", 67_108_864],
    ["64M", 67_108_864],
    ["64MB", 67_108_864],
    ["64mib", 67_108_864],
    ["64 m", 67_108_864],
    ["1.5g", 1_610_612_736],
    ["1k", 1024],
    ["2t", 2_199_023_255_552],
    ["100b", 100],
  ];
  for (const [text, bytes] of cases) expect(parseSize("--shm-size", text)).toBe(bytes);
  for (const text of ["", "m", "-1m", "64x", "64mm", "0", "1e3", "0x10", "99999999t", "64m "]) {
    expect(refusal(() => parseSize("--shm-size", text))).toBe("it is not a size");
  }
});

test("seconds", () => {
  expect(parseSeconds("--stop-timeout", "0")).toBe(0);
  for (const text of ["-1", "1.5", "", "10s", "99999999999999999999"])
    refusal(() => parseSeconds("--stop-timeout", text));
});

test("networks", () => {
  expect(["none", "host", "slirp4netns", "bridge", "private"].map(parseNetwork)).toEqual([
    "none",
    "host",
    "slirp4netns",
    "slirp4netns",
    "slirp4netns",
  ]);
  for (const text of ["", "container:x", "toString", "__proto__", "nonee"]) refusal(() => parseNetwork(text));
});

test("devices", () => {
  expect(parseDevice("/dev/fuse")).toEqual({ source: "/dev/fuse", target: "/dev/fuse", permissions: "rwm" });
  expect(parseDevice("/dev/a:/dev/b")).toEqual({ source: "/dev/a", target: "/dev/b", permissions: "rwm" });
  expect(parseDevice("/dev/a:rw")).toEqual({ source: "/dev/a", target: "/dev/a", permissions: "rw" });
  expect(parseDevice("/dev/a:/dev/b:r")).toEqual({ source: "/dev/a", target: "/dev/b", permissions: "r" });
  for (const text of ["", "fuse", "/dev/a:b", "/dev/a:/dev/b:x", "/dev/a:/dev/b:", "/dev/a:/dev/b:r:w"]) {
    refusal(() => parseDevice(text));
  }
});

test("pairs", () => {
  expect(parsePairs("--label", ["a=1", "b", "c=", "a=x=y"], "a=b", "")).toEqual({ a: "x=y", b: "", c: "" });
  refusal(() => parsePairs("--sysctl", ["net.x"], "a=b"));
  refusal(() => parsePairs("--label", ["=x"], "a=b", ""));
});

test("addresses", () => {
  for (const text of ["127.0.0.1", "0.0.0.0", "::1", "fe80::1", "::ffff:10.0.0.1"]) expect(isAddress(text)).toBe(true);
  for (const text of ["", "256.0.0.1", "1.2.3", "example.com", ":::", "[::1]", "1.2.3.4:5", "g::1", "::1%eth0"]) {
    expect(isAddress(text)).toBe(false);
  }
  expect(checkNameServer("9.9.9.9")).toBe("9.9.9.9");
  refusal(() => checkNameServer("dns.example"));
});

test("signals", () => {
  for (const text of ["TERM", "SIGTERM", "sigint", "15", "64", "RTMIN+3", "SIGRTMAX-1", "SIGRTMIN"]) {
    expect(checkSignal(text)).toBe(text);
  }
  for (const text of ["", "0", "65", "SIGFOO", "RTMIN-1", "toString"]) refusal(() => checkSignal(text));
});

test("entrypoints", () => {
  expect(parseEntrypoint("")).toEqual([]);
  expect(parseEntrypoint("/bin/sh -c")).toEqual(["/bin/sh -c"]);
  expect(parseEntrypoint('["sh","-c"]')).toEqual(["sh", "-c"]);
  for (const text of ['["sh"', "[1]", '[["sh"]]']) refusal(() => parseEntrypoint(text));
});

describe("--security-opt", () => {
  test("all of them together", () => {
    expect(
      parseSecurityOptions([
        "no-new-privileges",
        "seccomp=unconfined",
        "unmask=/proc/kcore:/sys/firmware",
        "unmask=ALL",
        "mask=/proc/acpi",
        "label=disable",
        "apparmor=unconfined",
      ]),
    ).toEqual({
      security: {
        noNewPrivileges: true,
        seccomp: "unconfined",
        unmask: ["/proc/kcore", "/sys/firmware", "all"],
        mask: ["/proc/acpi"],
      },
      // What the last two ask for is so anyway.
      notices: [],
    });
  });

  test("labels are not set, which is said", () => {
    expect(parseSecurityOptions(["label=type:spc_t"]).notices).toEqual([
      "--security-opt label=type:spc_t has no effect: devbox sets no SELinux labels",
    ]);
  });

  test("none", () => {
    expect(parseSecurityOptions([]).security).toEqual({
      noNewPrivileges: false,
      seccomp: "default",
      unmask: [],
      mask: [],
    });
  });

  test("docker's old colon, and its systempaths", () => {
    expect(parseSecurityOptions(["no-new-privileges:true", "seccomp:unconfined"]).security).toMatchObject({
      noNewPrivileges: true,
      seccomp: "unconfined",
    });
    expect(parseSecurityOptions(["systempaths=unconfined"]).security.unmask).toEqual(["all"]);
    expect(parseSecurityOptions(["no-new-privileges", "no-new-privileges=false"]).security.noNewPrivileges).toBe(false);
  });

  test("a profile is read", () => {
    const directory = mkdtempSync(join(tmpdir(), "devbox-seccomp-"));
    try {
      const file = join(directory, "profile.json");
      writeFileSync(file, '{"defaultAction":"SCMP_ACT_ERRNO"}');
      expect(parseSecurityOptions([`seccomp=${file}`]).security.seccomp).toEqual({
        profile: { defaultAction: "SCMP_ACT_ERRNO" },
      });
      writeFileSync(file, "{");
      expect(() => parseSecurityOptions([`seccomp=${file}`])).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
      expect(refusal(() => parseSecurityOptions([`seccomp=${directory}/none`]))).toBe(
        "no such file or directory (ENOENT)",
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("others are refused by name", () => {
    for (const text of [
      "",
      "seccmop=unconfined",
      "apparmor=mine",
      "unmask=relative",
      "mask=",
      "mask",
      "seccomp",
      "no-new-privileges=2",
    ]) {
      refusal(() => parseSecurityOptions([text]));
    }
  });
});
