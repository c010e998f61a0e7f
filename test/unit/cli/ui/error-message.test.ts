import { expect, test } from "bun:test";
import { SyscallError } from "../../../../ffi/errno.ts";
import { errorJson, renderError, toDevboxError } from "../../../../src/cli/ui/error-message.ts";
import { DevboxError } from "../../../../src/core/errors.ts";

const plain = { colour: false, debug: false };

test("what, because, hint", () => {
  const error = new DevboxError("LAUNCH_FAILED", {
    step: "mount overlay on the root",
    cause: new SyscallError("mount", 22),
    because: "the upper directory is on a file system without user xattrs",
    hint: "put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR",
  });
  expect(renderError(error, plain)).toMatchInlineSnapshot(`
    "error: mount overlay on the root: invalid argument (EINVAL)
      because: the upper directory is on a file system without user xattrs
    hint: put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR
    "
  `);
});

test("the system's words alone stand on the first line, and the table's hint below", () => {
  const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", errno: -28 });
  expect(
    renderError(new DevboxError("STORE_FULL", { step: "write blob sha256:ab", cause }), plain),
  ).toMatchInlineSnapshot(`
    "error: write blob sha256:ab: no space left on device (ENOSPC)
    hint: free space (devbox prune --all), or put the store elsewhere: export DEVBOX_STORE=DIR
    "
  `);
});

test("a launch that failed: the operation is for --debug", () => {
  const cause = new SyscallError("mount", 22, '(operation 7 of the plan "start a box")');
  const error = new DevboxError("LAUNCH_FAILED", { step: "mount /proc", because: "invalid argument (EINVAL)", cause });
  expect(renderError(error, plain)).toBe(
    "error: mount /proc: invalid argument (EINVAL)\n" +
      "hint: see what this machine lacks: devbox doctor; every step: devbox run --explain\n",
  );
  expect(renderError(error, { colour: false, debug: true })).toContain('mount (operation 7 of the plan "start a box")');
});

test("the same reason in better words is not said twice", () => {
  const cause = new SyscallError("connect", 111);
  const because = "127.0.0.1:1 refused the connection (ECONNREFUSED)";
  const error = new DevboxError("REGISTRY_REFUSED", { step: "fetch x", because, cause });
  expect(renderError(error, plain)).toStartWith(`error: fetch x\n  because: ${because}\nhint: `);
});

test("a reason without a cause", () => {
  const error = new DevboxError("BAD_MANIFEST", {
    step: "read manifest",
    because: "layers[2].size: expected an integer",
  });
  expect(renderError(error, plain)).toMatchInlineSnapshot(`
    "error: read manifest
      because: layers[2].size: expected an integer
    hint: the image is malformed: have it built or pushed again, or use another tag
    "
  `);
});

test("a devbox error as cause is the because", () => {
  const inner = new DevboxError("DIGEST_MISMATCH", { step: "verify sha256:ab", because: "got sha256:cd" });
  const outer = new DevboxError("REGISTRY_REFUSED", { step: "pull alpine", cause: inner });
  expect(renderError(outer, plain)).toMatchInlineSnapshot(`
    "error: pull alpine
      because: verify sha256:ab: got sha256:cd
    hint: try again later, or ask who runs the registry; --debug shows where it failed
    "
  `);
});

test("failures of the clean-up follow, and lines of a long text stay together", () => {
  const error = new DevboxError("HOOK_FAILED", {
    step: "run hook x",
    because: "it said:\nline one\nline two\n",
    hint: "a\nb",
  });
  error.alsoFailed.push(new SyscallError("umount2", 16, "/box"));
  expect(renderError(error, plain)).toMatchInlineSnapshot(`
    "error: run hook x
      because: it said:
        line one
        line two
      also failed: umount2 /box: device or resource busy (EBUSY)
    hint: a
      b
    "
  `);
});

test("colours add nothing but colours", () => {
  const error = new DevboxError("USAGE", { step: "devbox run", because: "IMAGE is missing" });
  const coloured = renderError(error, { colour: true, debug: false });
  expect(coloured).toContain("\x1b[31merror:\x1b[39m");
  expect(Bun.stripANSI(coloured)).toBe(renderError(error, plain));
});

test("--debug adds code, stack and causes", () => {
  const error = new DevboxError("LAYER_IO", {
    step: "write etc/passwd",
    cause: new SyscallError("openat2", 13, "etc"),
  });
  const text = renderError(error, { colour: false, debug: true });
  expect(text).toContain("\ncode: LAYER_IO (exit status 125)\nstack:\n");
  expect(text).toContain("\ncaused by:\n  ");
  expect(text).toContain("openat2 etc: permission denied (EACCES)");
  expect(text).toContain("error-message.test.ts:");
});

test("without --debug there is no stack, whatever was thrown", () => {
  for (const thrown of [new TypeError("x is not a function"), "a string", undefined, { a: 1 }, null]) {
    const error = toDevboxError(thrown);
    expect(error).toMatchObject({ code: "INTERNAL", exitStatus: 125 });
    expect(renderError(error, plain)).not.toMatch(/\bat .*:\d+/);
  }
  expect(renderError(toDevboxError(new TypeError("x is not a function")), plain)).toMatchInlineSnapshot(`
    "error: unexpected failure: x is not a function
    hint: this is a bug in devbox; run again with --debug and report what it prints
    "
  `);
});

test("what names hold is not sent to the terminal", () => {
  const error = new DevboxError("LAYER_INVALID", { step: "apply \x1b[2J", because: "\x1b]0;x\x07", hint: "none" });
  expect(renderError(error, plain)).toBe("error: apply \\x1b[2J\n  because: \\x1b]0;x\\x07\nhint: none\n");
});

test("an aborted operation is an interruption", () => {
  expect(toDevboxError(AbortSignal.abort().reason)).toMatchObject({ code: "INTERRUPTED", exitStatus: 130 });
});

test("JSON is one line that names the code", () => {
  const text = errorJson(new DevboxError("BAD_REFERENCE", { step: "read Alpine", because: "upper case" }));
  expect(text).toEndWith("}\n");
  expect(JSON.parse(text)).toEqual({
    event: "error",
    code: "BAD_REFERENCE",
    message: "read Alpine: upper case",
    step: "read Alpine",
    because: "upper case",
    hint: "an image reference looks like NAME[:TAG][@DIGEST], for example debian:12",
    exitStatus: 125,
  });
});
