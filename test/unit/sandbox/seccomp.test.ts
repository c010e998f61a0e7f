import { describe, expect, test } from "bun:test";
import { defaultCapabilities } from "../../../src/sandbox/capabilities.ts";
import { compileSeccomp } from "../../../src/sandbox/seccomp.ts";
import { compileFilter } from "../../../src/sandbox/seccomp-compile.ts";
import { prebuildFilters } from "../../../src/sandbox/seccomp-prebuilt.ts";
import { defaultSeccomp } from "../../../src/sandbox/seccomp-profile.ts";

describe.each(["x86_64", "aarch64"] as const)("%s", (architecture) => {
  const profile = defaultSeccomp({ capabilities: defaultCapabilities, architecture });

  test("the default profile has a prebuilt filter, equal to the compiled one", () => {
    expect(prebuildFilters().map((each) => each.profile)).toContain(JSON.stringify(profile));
    expect(compileSeccomp(profile, architecture)).toEqual(compileFilter(profile, architecture));
  });

  test("any other profile is compiled", () => {
    const other = { ...profile, defaultErrnoRet: 13 };
    expect(compileSeccomp(other, architecture)).toEqual(compileFilter(other, architecture));
    expect(compileSeccomp(other, architecture)).not.toEqual(compileSeccomp(profile, architecture));
  });
});
