/** Doctor on the real kernel: what it says can be done, is done by other tests; here, that it says so and leaves no trace. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentContext } from "../../../src/core/context.ts";
import { diagnose, readSystemText } from "../../../src/doctor/diagnose.ts";
import { canRun, type Finding, type ProbeInput } from "../../../src/doctor/finding.ts";
import { probeTap } from "../../../src/doctor/probes/network.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-doctor-"));
afterAll(() => rmSync(directory, { recursive: true }));

function input(storeRoot: string): ProbeInput {
  return { context: silentContext(), host: readHostFacts(process.env), storeRoot, readText: readSystemText };
}

const statusOf = (findings: readonly Finding[], name: string) =>
  findings.find((finding) => finding.name === name)?.status;

test("where the other kernel tests pass, boxes can run, and every ability was tried", async () => {
  const findings = await diagnose(input(join(directory, "a/b/store")));
  expect(findings.filter(({ status }) => status === "fail")).toEqual([]);
  expect(canRun(findings)).toBe(true);
  const names = findings.map(({ name }) => name);
  for (const name of ["user namespaces", "AppArmor", "subordinate ids", "id map", "seccomp", "store", "overlay"]) {
    expect(names).toContain(name);
  }
  expect(findings.filter(({ detail }) => detail.startsWith("could not be tried"))).toEqual([]);
});

test("what it made, it removed; what was there, stays", async () => {
  expect(existsSync(join(directory, "a"))).toBe(false);
  const store = join(directory, "kept");
  mkdirSync(join(store, "boxes"), { recursive: true });
  await diagnose(input(store));
  expect(readdirSync(store)).toEqual(["boxes"]);
});

test("a store that cannot be made fails, and what needs it is not judged", async () => {
  const findings = await diagnose(input("/proc/devbox"));
  expect(statusOf(findings, "store")).toBe("fail");
  expect(findings.filter(({ detail }) => detail.startsWith("not tried: ")).map(({ name }) => name)).toEqual([
    "free space",
    "overlay",
    "data-only overlay",
  ]);
  expect(statusOf(findings, "seccomp")).toBe("ok");
  expect(canRun(findings)).toBe(false);
});

test("a path with commas, colons and spaces is no obstacle to the trial", async () => {
  const store = join(directory, "a,b:c d");
  mkdirSync(store);
  chmodSync(store, 0o700);
  expect(statusOf(await diagnose(input(store)), "overlay")).toBe("ok");
});

test("a program that may not map ids is found by its rights and named", async () => {
  const facts = readHostFacts(process.env);
  const host = { ...facts, uid: facts.uid || 1, helpers: { ...facts.helpers, newuidmap: "/bin/sh" } };
  const findings = await diagnose({ ...input(join(directory, "s")), host });
  expect(findings.find(({ name }) => name === "newuidmap")).toMatchObject({
    status: "fail",
    fix: "sudo setcap cap_setuid+ep /bin/sh",
  });
  expect(statusOf(findings, "id map")).toBeUndefined();
});

test("a tap device is made, not only opened", async () => {
  const facts = readHostFacts(process.env);
  expect(await probeTap("/dev/null", facts)).toMatchObject({
    status: "warn",
    detail: "make a tap device with /dev/null: inappropriate ioctl for device (ENOTTY)",
  });
  expect(await probeTap("/nonexistent/tun", facts)).toMatchObject({
    detail: "open /nonexistent/tun: no such file or directory (ENOENT)",
  });
});
