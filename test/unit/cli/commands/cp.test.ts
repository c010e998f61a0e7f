import { expect, test } from "bun:test";
import type { CopyEnd } from "../../../../src/box/copy.ts";
import { parseEnd } from "../../../../src/cli/commands/cp.ts";

test.each<[string, CopyEnd]>([
  ["web:/etc/hosts", { kind: "box", box: "web", path: "/etc/hosts" }],
  ["web:etc", { kind: "box", box: "web", path: "etc" }],
  ["web:", { kind: "box", box: "web", path: "" }],
  ["web:/a:b", { kind: "box", box: "web", path: "/a:b" }],
  ["-", { kind: "stream" }],
  ["./a:b", { kind: "host", path: "./a:b" }],
  ["/a:b", { kind: "host", path: "/a:b" }],
  [":a", { kind: "host", path: ":a" }],
  ["file", { kind: "host", path: "file" }],
])("%s", (text, end) => expect(parseEnd(text)).toEqual(end));
