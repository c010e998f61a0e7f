import { describe, expect, test } from "bun:test";
import { capabilityNames } from "../../../src/oci/runtime-words.ts";
import {
  capabilityMask,
  capabilityNumber,
  capabilitySets,
  defaultCapabilities,
  grantedCapabilities,
  parseCapability,
} from "../../../src/sandbox/capabilities.ts";

const nothing = { add: [], drop: [], privileged: false };
const inOrder = capabilityNames.filter((name) => defaultCapabilities.includes(name));

test("numbers are the kernel's", () => {
  expect(capabilityNames).toHaveLength(41);
  expect(capabilityNumber("CAP_CHOWN")).toBe(0);
  expect(capabilityNumber("CAP_SYS_ADMIN")).toBe(21);
  expect(capabilityNumber("CAP_CHECKPOINT_RESTORE")).toBe(40);
  expect(() => capabilityNumber("SYS_ADMIN")).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
});

test("docker's default set as /proc/PID/status shows it", () => {
  expect(capabilityMask(defaultCapabilities)).toBe(0xa80425fbn);
});

describe("names", () => {
  test.each(["net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN"])("%s", (text) => {
    expect(parseCapability("--cap-add", text)).toBe("CAP_NET_ADMIN");
  });
  test("ALL", () => {
    expect([parseCapability("--cap-add", "all"), parseCapability("--cap-drop", "CAP_ALL")]).toEqual(["ALL", "ALL"]);
  });
  test("an unknown one names the nearest", () => {
    expect(() => parseCapability("--cap-drop", "net_amdin")).toThrow(
      expect.objectContaining({ code: "USAGE", step: "read --cap-drop net_amdin", hint: "did you mean NET_ADMIN?" }),
    );
    expect(() => parseCapability("--cap-add", "constructor")).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("granted", () => {
  test("default", () => expect(grantedCapabilities(nothing)).toEqual(inOrder));
  test("added and dropped", () => {
    const granted = grantedCapabilities({ ...nothing, add: ["sys_ptrace", "kill"], drop: ["CHOWN"] });
    expect(granted).toEqual(
      capabilityNames.filter((name) => name === "CAP_SYS_PTRACE" || (name !== "CAP_CHOWN" && inOrder.includes(name))),
    );
  });
  test("a dropped one that is also added stays, as in docker", () => {
    expect(grantedCapabilities({ ...nothing, add: ["CHOWN"], drop: ["CHOWN"] })).toContain("CAP_CHOWN");
  });
  test("drop all but", () => {
    expect(grantedCapabilities({ ...nothing, add: ["KILL"], drop: ["ALL"] })).toEqual(["CAP_KILL"]);
  });
  test("add all but", () => {
    expect(grantedCapabilities({ ...nothing, add: ["ALL"], drop: ["KILL"] })).toEqual(
      capabilityNames.filter((name) => name !== "CAP_KILL"),
    );
  });
  test("privileged", () => {
    expect(grantedCapabilities({ add: [], drop: ["ALL"], privileged: true })).toEqual(capabilityNames);
  });
  test("never more than the kernel knows", () => {
    expect(grantedCapabilities({ ...nothing, privileged: true, last: 37 })).toEqual(capabilityNames.slice(0, 38));
  });
});

describe("sets", () => {
  test("root has them in effect", () => {
    expect(capabilitySets(["CAP_KILL"], 0)).toEqual({
      bounding: ["CAP_KILL"],
      effective: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
      inheritable: [],
      ambient: [],
    });
  });
  test("another user has only the bounding set", () => {
    expect(capabilitySets(["CAP_KILL"], 1000)).toEqual({
      bounding: ["CAP_KILL"],
      effective: [],
      permitted: [],
      inheritable: [],
      ambient: [],
    });
  });
});
