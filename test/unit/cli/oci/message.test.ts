/** What podman and docker look for in the message of a runtime (libpod/oci_util.go; moby's container start errors). */
import { describe, expect, test } from "bun:test";
import { formatEntry } from "../../../../src/cli/oci/log.ts";
import { messageOf } from "../../../../src/cli/oci/message.ts";
import { DevboxError } from "../../../../src/core/errors.ts";

const command = (code: "COMMAND_NOT_FOUND" | "COMMAND_NOT_EXECUTABLE", step: string, because: string) =>
  messageOf(new DevboxError(code, { step, because })).text;

test.each([
  [command("COMMAND_NOT_FOUND", "execute nope", "none"), /^exec: "nope": executable file not found in \$PATH$/],
  [command("COMMAND_NOT_FOUND", "execute /no/pe", "none"), /^exec \/no\/pe: no such file or directory$/],
  [
    command("COMMAND_NOT_EXECUTABLE", "execute /etc", "permission denied (EACCES)"),
    /^exec: "\/etc": permission denied/,
  ],
  [
    messageOf(new DevboxError("CONTAINER_NOT_FOUND", { step: "container c", because: "container does not exist" }))
      .text,
    /does not exist/,
  ],
])("%j", (text, pattern) => expect(text).toMatch(pattern));

test("of several hooks the one that failed is named by its number, as runc does", () => {
  const error = new DevboxError("HOOK_FAILED", { step: "createRuntime hook #1 /bin/false", because: "exit status 1" });
  expect(messageOf(error).text).toBe("error running createRuntime hook #1: /bin/false: exit status 1");
});

test("a message is one line, and names what went wrong afterwards", () => {
  const error = new DevboxError("HOOK_FAILED", { step: "hook /x", because: "line 1\n  line 2\n" });
  error.alsoFailed.push(new Error("second"));
  expect(messageOf(error).text).toBe("hook /x: line 1; line 2; also: second");
});

describe("a line of --log", () => {
  const now = new Date("2026-01-02T03:04:05.678Z");
  test("json", () =>
    expect(JSON.parse(formatEntry("json", "error", 'a "b"', now))).toEqual({
      level: "error",
      msg: 'a "b"',
      time: "2026-01-02T03:04:05.678Z",
    }));
  test("text", () =>
    expect(formatEntry("text", "error", 'a "b"', now)).toBe(
      'time="2026-01-02T03:04:05.678Z" level=error msg="a \\"b\\""',
    ));
});
