import { describe, expect, test } from "bun:test";
import { type AccountFiles, resolveUser } from "../../../src/bundle/users.ts";
import { failureOf } from "../../helpers/failure.ts";

const files: AccountFiles = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "# a comment",
    "broken:x:abc:1::/b:/bin/sh",
    "ada:x:1000:1001:Ada:/home/ada:/bin/sh",
    "ada:x:2000:2000::/second:/bin/sh",
    "1500:x:3000:3000::/digits:/bin/sh",
    "bare:x:7:8",
    "relative:x:9:9::home:/bin/sh",
    "",
  ].join("\n"),
  group: [
    "root:x:0:",
    "wheel:x:10:root,ada",
    "audio:x:29:ada",
    "ada:x:1001:",
    "broken:x:y:ada",
    "docker:x:999:adamant",
  ].join("\n"),
};

describe("docker's rules", () => {
  test.each([
    ["", { uid: 0, gid: 0, additionalGids: [0, 10], home: "/root" }],
    ["root", { uid: 0, gid: 0, additionalGids: [0, 10], home: "/root" }],
    ["ada", { uid: 1000, gid: 1001, additionalGids: [1001, 10, 29], home: "/home/ada" }],
    ["1000", { uid: 1000, gid: 1001, additionalGids: [1001, 10, 29], home: "/home/ada" }],
    ["01000", { uid: 1000, gid: 1001, additionalGids: [1001, 10, 29], home: "/home/ada" }],
    ["ada:audio", { uid: 1000, gid: 29, additionalGids: [29], home: "/home/ada" }],
    ["ada:4711", { uid: 1000, gid: 4711, additionalGids: [4711], home: "/home/ada" }],
    ["4711", { uid: 4711, gid: 0, additionalGids: [0], home: "/" }],
    ["4711:4712", { uid: 4711, gid: 4712, additionalGids: [4712], home: "/" }],
    [":audio", { uid: 0, gid: 29, additionalGids: [29], home: "/root" }],
    ["1500", { uid: 1500, gid: 0, additionalGids: [0], home: "/" }],
    ["bare", { uid: 7, gid: 8, additionalGids: [8], home: "/" }],
    ["relative", { uid: 9, gid: 9, additionalGids: [9], home: "/" }],
    ["ada:", { uid: 1000, gid: 1001, additionalGids: [1001, 10, 29], home: "/home/ada" }],
  ])("%p", (spec, user) => expect(resolveUser(spec, files)).toEqual(user));

  test("an image without account files", () => {
    const none = { passwd: undefined, group: undefined };
    expect(resolveUser("", none)).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: "/" });
    expect(resolveUser("5:6", none)).toEqual({ uid: 5, gid: 6, additionalGids: [6], home: "/" });
    expect(failureOf(() => resolveUser("ada", none)).because).toBe('the image has no /etc/passwd, so no user "ada"');
  });
});

test.each([
  ["grace", 'the image\'s /etc/passwd has no user "grace"'],
  ["broken", 'has no user "broken"'],
  ["-1", 'has no user "-1"'],
  ["4294967296", "has no user"],
  ["2147483648", "has no user"],
  ["ada:nogroup", 'has in /etc/group no group "nogroup"'],
  ["ada:4294967296", "no group"],
])("%p is not found", (spec, reason) => {
  const error = failureOf(() => resolveUser(spec, files));
  expect(error.code).toBe("USER_NOT_FOUND");
  expect(error.because).toContain(reason);
});

test("a hostile group file ends bounded", () => {
  const group = Array.from({ length: 70_000 }, (_, i) => `g${i}:x:${i + 1}:ada`).join("\n");
  expect(resolveUser("ada", { ...files, group }).additionalGids).toHaveLength(65_536);
});
